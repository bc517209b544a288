use super::*;

fn layout() -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path(), Path::new("cache.db"));
    layout.prepare().unwrap();
    (dir, layout)
}

#[test]
fn only_files_that_are_named_like_images_are_images() {
    let (dir, layout) = layout();
    let id = ImageId::random();
    fs::write(layout.image(id), b"bytes").unwrap();
    fs::write(dir.path().join("notes.txt"), b"1234567").unwrap();
    fs::write(layout.index(), b"not counted").unwrap();
    fs::write(dir.path().join("cache.db-journal"), b"not counted").unwrap();
    fs::create_dir(layout.image(ImageId::random())).unwrap();
    std::os::unix::fs::symlink(layout.image(id), layout.image(ImageId::random())).unwrap();

    let contents = layout.contents().unwrap();
    assert_eq!(contents.strange, 7);
    let sizes: Vec<_> = contents.images.iter().map(|i| (i.id, i.size)).collect();
    assert_eq!(sizes, [(id, 5)]);
}

#[test]
fn a_copy_is_whole_only_with_the_right_size() {
    let (_dir, layout) = layout();
    let id = ImageId::random();
    assert!(matches!(layout.open_image(id, None), Ok(InPlace::Nothing)));
    fs::write(layout.image(id), b"bytes").unwrap();
    for size in [None, Some(5)] {
        assert!(matches!(
            layout.open_image(id, size),
            Ok(InPlace::Whole(_, 5))
        ));
    }
    assert!(matches!(
        layout.open_image(id, Some(6)),
        Ok(InPlace::WrongSize(5))
    ));
}

#[test]
fn links_and_directories_are_no_copies() {
    let (_dir, layout) = layout();
    let (link, dir, whole) = (ImageId::random(), ImageId::random(), ImageId::random());
    fs::write(layout.image(whole), b"bytes").unwrap();
    std::os::unix::fs::symlink(layout.image(whole), layout.image(link)).unwrap();
    fs::create_dir(layout.image(dir)).unwrap();
    assert!(matches!(
        layout.open_image(link, Some(5)),
        Ok(InPlace::Nothing)
    ));
    assert!(matches!(
        layout.open_image(dir, Some(5)),
        Ok(InPlace::Obstructed)
    ));
}
