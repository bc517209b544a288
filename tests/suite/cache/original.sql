-- The index as the original's sqlite driver writes it.
CREATE TABLE cached_images (
                        image_id TEXT PRIMARY KEY,
                        last_accessed REAL DEFAULT 0.0,
                        last_modified REAL DEFAULT 0.0,
                        size INTEGER DEFAULT 0,
                        hits INTEGER DEFAULT 0,
                        checksum TEXT
                    );
INSERT INTO cached_images VALUES('10000000-0000-4000-8000-000000000001',1795258084.5794785022,1795258084.55082798,110,1,NULL);
INSERT INTO cached_images VALUES('10000000-0000-4000-8000-000000000002',1795258084.6779205799,1795258084.5983974934,42,3,NULL);
