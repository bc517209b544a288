//! The projects that an image is shared with.

use serde_json::Value;

use super::access::may_write;
use super::{Error, Glance, Result, quota};
use crate::domain::property::storable_member;
use crate::domain::{Caller, Image, Member, MemberStatus, Visibility};
use crate::policy::ImageFacts;

impl Glance {
    /// Shares an image with a project.
    pub async fn add_member(&self, caller: &Caller, id: &str, member: &str) -> Result<Member> {
        may_write(caller)?;
        let image = self.image_with_members(caller, id).await?;
        shared_or(&image, "create")?;
        self.ask_for_owner(caller, &image, "create")?;
        self.permit_members(caller, &image, "add_member").await?;
        let attempted = self.db.members(image.id).await?.len() + 1;
        quota::members(&self.image_rules(), attempted).map_err(|refusal| {
            Error::TooManyMembers {
                image: id.to_owned(),
                refusal,
            }
        })?;
        storable_member(member)?;
        let now = self.clock.now();
        (self.db.create_member(image.id, member, now).await?).ok_or_else(|| {
            Error::DuplicateMember {
                member: member.to_owned(),
                image: id.to_owned(),
            }
        })
    }

    /// The projects that an image is shared with, as far as the caller may know of them.
    pub async fn members(&self, caller: &Caller, id: &str) -> Result<Vec<Member>> {
        let image = self.image_with_members(caller, id).await?;
        if image.visibility != Visibility::Shared {
            return Err(Error::NoMembersToList(id.to_owned()));
        }
        self.permit_members(caller, &image, "get_members").await?;
        if self
            .permit_members(caller, &image, "get_member")
            .await
            .is_err()
        {
            return Ok(Vec::new());
        }
        let mut members = self.db.members(image.id).await?;
        members.retain(|member| knows_member(caller, &image, &member.member));
        Ok(members)
    }

    /// One of those projects.
    pub async fn member(&self, caller: &Caller, id: &str, member: &str) -> Result<Member> {
        let image = self.image_with_members(caller, id).await?;
        if image.visibility != Visibility::Shared {
            return Err(Error::NotShared);
        }
        self.find_member(caller, &image, member).await
    }

    /// Says for a project whether it wants the image in its list.
    pub async fn answer_membership(
        &self,
        caller: &Caller,
        id: &str,
        member: &str,
        status: &Value,
    ) -> Result<Member> {
        may_write(caller)?;
        let image = self.image_with_members(caller, id).await?;
        shared_or(&image, "update")?;
        self.ask_for_owner(caller, &image, "update")?;
        self.find_member(caller, &image, member).await?;
        self.permit_members(caller, &image, "modify_member").await?;
        let status: MemberStatus = (status.as_str())
            .and_then(|name| name.parse().ok())
            .ok_or(Error::UnknownMemberStatus)?;
        let now = self.clock.now();
        (self.db)
            .set_member_status(image.id, member, status, now)
            .await?
            .ok_or_else(|| no_such_member(&image, member))
    }

    /// Ends the sharing of an image with a project.
    pub async fn remove_member(&self, caller: &Caller, id: &str, member: &str) -> Result<()> {
        may_write(caller)?;
        let image = self.image_with_members(caller, id).await?;
        shared_or(&image, "delete")?;
        self.ask_for_owner(caller, &image, "delete")?;
        self.find_member(caller, &image, member).await?;
        self.permit_members(caller, &image, "delete_member").await?;
        let now = self.clock.now();
        if self.db.delete_member(image.id, member, now).await? {
            Ok(())
        } else {
            Err(no_such_member(&image, member))
        }
    }

    /// Where the older rules let in everybody, owners share and members answer.
    fn ask_for_owner(&self, caller: &Caller, image: &Image, action: &'static str) -> Result<()> {
        let owner = image.owner.is_some() && image.owner == caller.project_id;
        let fits = if action == "update" { !owner } else { owner };
        if !self.policy.asks_for_owners() || caller.is_admin || fits {
            return Ok(());
        }
        Err(Error::MembersOfUnshared {
            action,
            image: image.id.to_string(),
        })
    }

    async fn image_with_members(&self, caller: &Caller, id: &str) -> Result<Image> {
        (self.visible(caller, id).await?).ok_or_else(|| Error::ImageNotFound(id.to_owned()))
    }

    /// Who may not see the image hears that there is none.
    async fn permit_members(
        &self,
        caller: &Caller,
        image: &Image,
        action: &'static str,
    ) -> Result<()> {
        self.permit(caller, image, "get_image").await?;
        self.permit_plainly(caller, action, &ImageFacts::new(image, caller))
            .await
    }

    async fn find_member(&self, caller: &Caller, image: &Image, member: &str) -> Result<Member> {
        self.permit_members(caller, image, "get_member").await?;
        // Not every engine can be asked for what none keeps.
        let found = if knows_member(caller, image, member) && storable_member(member).is_ok() {
            self.db.member(image.id, member).await?
        } else {
            None
        };
        found.ok_or_else(|| no_such_member(image, member))
    }
}

fn shared_or(image: &Image, action: &'static str) -> Result<()> {
    if image.visibility == Visibility::Shared {
        return Ok(());
    }
    Err(Error::MembersOfUnshared {
        action,
        image: image.id.to_string(),
    })
}

/// The owner knows every member, a member itself.
fn knows_member(caller: &Caller, image: &Image, member: &str) -> bool {
    caller.is_admin
        || match caller.project_id.as_deref() {
            Some(project) => image.owner.as_deref() == Some(project) || member == project,
            None => false,
        }
}

fn no_such_member(image: &Image, member: &str) -> Error {
    Error::NoSuchMember {
        member: member.to_owned(),
        image: image.id.to_string(),
    }
}
