-- ?1 images, each with twenty properties, five tags and a location. Ids are scattered as random ones are; a
-- tenth is public, the rest belongs to a hundred projects, and every twentieth has the same name.

INSERT INTO images (id, name, size, status, created_at, updated_at, deleted, disk_format, container_format,
    checksum, owner, min_disk, min_ram, protected, visibility, os_hidden, os_hash_algo, os_hash_value)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1)
SELECT printf('%08x-0000-4000-8000-%012x', n * 2654435761 % 4294967296, n),
    CASE n % 20 WHEN 7 THEN 'web' ELSE printf('image %d', n) END, 1048576 + n, 'active',
    datetime('2026-01-01', printf('+%d seconds', n)) || '.000000',
    datetime('2026-01-01', printf('+%d seconds', n)) || '.000000', 0, 'raw', 'bare',
    printf('%032x', n), printf('project%d', n % 100), 0, 0, 0,
    CASE n % 10 WHEN 7 THEN 'public' ELSE 'private' END, 0, 'sha512', printf('%0128x', n)
FROM number;

INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 19)
SELECT id, printf('property_%d', n), printf('value %d of %s', n, name), created_at, updated_at, 0
FROM images, number;

INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 4)
SELECT id, printf('tag %d', n), created_at, updated_at, 0
FROM images, number;

INSERT INTO image_locations (image_id, value, created_at, updated_at, deleted, meta_data, status)
SELECT id, 'file:///nowhere/' || id, created_at, updated_at, 0, '{}', 'active'
FROM images;
