//! SIGUSR2: how the cache does goes into the log.

use crate::domain::units;
use crate::ops::Glance;
use crate::ops::state::State;

/// Writes a line for each image that is brought in, and one for all of it.
pub async fn write(glance: Glance) {
    match glance.state(0).await {
        Ok(Some(state)) => tell(&state),
        Ok(None) => tracing::info!("report: this node does not cache"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "report: it is not known how the cache does");
        }
    }
}

fn tell(state: &State) {
    for fill in &state.fills {
        let (id, filled, readers) = (fill.growth.image_id, fill.growth.filled, fill.readers);
        let size = fill.growth.size.map_or("?".to_owned(), |n| n.to_string());
        let rate = fill.rate.map_or("?".to_owned(), |n| n.to_string());
        tracing::info!(
            image.id = %id,
            "report: image {id} is brought in: {filled} of {size} bytes, {rate} a second, {readers} read along"
        );
    }
    let (survey, found) = (&state.overview.survey, &state.overview.downloads);
    let (copies, used, free) = (survey.copies, survey.used, survey.free);
    let (growing, pinned, queued) = (survey.growing.len(), state.pinned, survey.queued);
    let limit = match survey.limit {
        u64::MAX => "?".to_owned(),
        limit => limit.to_string(),
    };
    tracing::info!(
        "report: {copies} copies, {growing} growing, {pinned} pinned, {queued} queued; \
         {used} of {limit} bytes, {free} free on disk"
    );
    if let Some(found) = found {
        let (all, open, saved) = (found.all(), found.open, found.saved_bytes);
        let ratio = units::percent(found.hits + found.followers, all);
        tracing::info!(
            "report: {ratio} of {all} downloads from the cache, {saved} bytes saved, {open} open"
        );
    }
    let (bad, repaired, suspects) = (state.bad_spans, state.repaired_spans, state.suspects);
    let directory = if state.in_trouble {
        "cannot be used, and images are served past it"
    } else {
        "can be used"
    };
    tracing::info!(
        "report: {bad} bad spans, {repaired} of them repaired; wrong data of {suspects} images from stores; \
         the cache directory {directory}"
    );
}
