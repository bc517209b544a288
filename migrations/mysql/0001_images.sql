-- Images and what belongs to them. No row of these is ever removed by the API: `deleted` is set, and an id
-- stays taken.
--
-- This engine commits each table for itself. So the table of revisions is there first and gets its row last: where
-- it has none, somebody is at it or was interrupted, and whoever comes next goes on.

CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    PRIMARY KEY (version_num)
);

CREATE TABLE IF NOT EXISTS images (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(255),
    size BIGINT,
    status VARCHAR(30) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    disk_format VARCHAR(20),
    container_format VARCHAR(20),
    checksum VARCHAR(32),
    owner VARCHAR(255),
    min_disk INTEGER NOT NULL,
    min_ram INTEGER NOT NULL,
    protected BOOLEAN DEFAULT 0 NOT NULL,
    virtual_size BIGINT,
    visibility ENUM('private','public','shared','community') DEFAULT 'shared' NOT NULL,
    os_hidden BOOLEAN DEFAULT 0 NOT NULL,
    os_hash_algo VARCHAR(64),
    os_hash_value VARCHAR(128),
    PRIMARY KEY (id),
    INDEX checksum_image_idx (checksum),
    INDEX created_at_image_idx (created_at),
    INDEX ix_images_deleted (deleted),
    INDEX os_hash_value_image_idx (os_hash_value),
    INDEX os_hidden_image_idx (os_hidden),
    INDEX owner_image_idx (owner),
    INDEX updated_at_image_idx (updated_at),
    INDEX visibility_image_idx (visibility),
    CHECK (deleted IN (0, 1)),
    CHECK (protected IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE IF NOT EXISTS image_properties (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    value TEXT,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_image_properties_deleted (deleted),
    INDEX ix_image_properties_image_id (image_id),
    FOREIGN KEY (image_id) REFERENCES images (id),
    CONSTRAINT ix_image_properties_image_id_name UNIQUE (image_id, name),
    CHECK (deleted IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE IF NOT EXISTS image_tags (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    value VARCHAR(255) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_image_tags_image_id (image_id),
    INDEX ix_image_tags_image_id_tag_value (image_id, value),
    FOREIGN KEY (image_id) REFERENCES images (id),
    CHECK (deleted IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE IF NOT EXISTS image_locations (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    value TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    meta_data TEXT,
    status VARCHAR(30) DEFAULT 'active' NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_image_locations_deleted (deleted),
    INDEX ix_image_locations_image_id (image_id),
    FOREIGN KEY (image_id) REFERENCES images (id),
    CHECK (deleted IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE IF NOT EXISTS image_members (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    member VARCHAR(255) NOT NULL,
    can_share BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    status VARCHAR(20) DEFAULT 'pending' NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_image_members_deleted (deleted),
    INDEX ix_image_members_image_id (image_id),
    INDEX ix_image_members_image_id_member (image_id, member),
    FOREIGN KEY (image_id) REFERENCES images (id),
    CONSTRAINT image_members_image_id_member_deleted_at_key UNIQUE (image_id, member, deleted_at),
    CHECK (can_share IN (0, 1)),
    CHECK (deleted IN (0, 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
