-- A database as Glance 33 wrote it: nine images in as many states, dumped as SQL.
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('2024_1_contract01');
CREATE TABLE cached_images (
	id INTEGER NOT NULL, 
	image_id VARCHAR(36) NOT NULL, 
	last_accessed DATETIME NOT NULL, 
	last_modified DATETIME NOT NULL, 
	size BIGINT NOT NULL, 
	hits INTEGER NOT NULL, 
	checksum VARCHAR(32), 
	node_reference_id INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(node_reference_id) REFERENCES node_reference (node_reference_id), 
	CONSTRAINT ix_cached_images_image_id_node_reference_id UNIQUE (image_id, node_reference_id)
);
CREATE TABLE image_locations (
	id INTEGER NOT NULL, 
	image_id VARCHAR(36) NOT NULL, 
	value TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	deleted_at DATETIME, 
	deleted BOOLEAN NOT NULL, 
	meta_data TEXT, 
	status VARCHAR(30) DEFAULT 'active' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	CHECK (deleted IN (0, 1))
);
INSERT INTO "image_locations" VALUES(1,'00000000-0000-4000-8000-000000000002','file:///var/lib/glance/images/00000000-0000-4000-8000-000000000002','2026-11-21 10:27:10.691552','2026-11-21 10:27:10.778637',NULL,0,'{"store": "fast"}','active');
INSERT INTO "image_locations" VALUES(2,'00000000-0000-4000-8000-000000000003','file:///var/lib/glance/images/00000000-0000-4000-8000-000000000003','2026-11-21 10:27:10.893141','2026-11-21 10:27:10.893151',NULL,0,'{"store": "fast"}','active');
INSERT INTO "image_locations" VALUES(3,'00000000-0000-4000-8000-000000000004','file:///var/lib/glance/images/00000000-0000-4000-8000-000000000004','2026-11-21 10:27:10.980788','2026-11-21 10:27:11.022274',NULL,0,'{"store": "fast"}','active');
INSERT INTO "image_locations" VALUES(4,'00000000-0000-4000-8000-000000000004','file:///mnt/cheap/00000000-0000-4000-8000-000000000004','2026-11-21 10:27:11.022979','2026-11-21 10:27:11.022985',NULL,0,'{"store": "cheap"}','active');
INSERT INTO "image_locations" VALUES(5,'00000000-0000-4000-8000-000000000005','file:///var/lib/glance/images/00000000-0000-4000-8000-000000000005','2026-11-21 10:27:11.113410','2026-11-21 10:27:11.113474',NULL,0,'{"store": "fast"}','active');
INSERT INTO "image_locations" VALUES(6,'00000000-0000-4000-8000-000000000006','file:///var/lib/glance/images/00000000-0000-4000-8000-000000000006','2026-11-21 10:27:11.357352','2026-11-21 10:27:11.389223',NULL,0,'{"store": "fast"}','active');
INSERT INTO "image_locations" VALUES(7,'00000000-0000-4000-8000-000000000007','file:///var/lib/glance/images/00000000-0000-4000-8000-000000000007','2026-11-21 10:27:11.508607','2026-11-21 10:27:11.556162','2026-11-21 10:27:11.556162',1,'{"store": "fast"}','deleted');
CREATE TABLE image_members (
	id INTEGER NOT NULL, 
	image_id VARCHAR(36) NOT NULL, 
	member VARCHAR(255) NOT NULL, 
	can_share BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	deleted_at DATETIME, 
	deleted BOOLEAN NOT NULL, 
	status VARCHAR(20) DEFAULT 'pending' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	CONSTRAINT image_members_image_id_member_deleted_at_key UNIQUE (image_id, member, deleted_at), 
	CHECK (can_share IN (0, 1)), 
	CHECK (deleted IN (0, 1))
);
INSERT INTO "image_members" VALUES(1,'00000000-0000-4000-8000-000000000005','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,'2026-11-21 10:27:11.150978','2026-11-21 10:27:11.214424',NULL,0,'accepted');
INSERT INTO "image_members" VALUES(2,'00000000-0000-4000-8000-000000000005','dddddddddddddddddddddddddddddddd',0,'2026-11-21 10:27:11.174435','2026-11-21 10:27:11.271461','2026-11-21 10:27:11.250725',0,'pending');
INSERT INTO "image_members" VALUES(3,'00000000-0000-4000-8000-000000000005','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',0,'2026-11-21 10:27:11.198361','2026-11-21 10:27:11.242088','2026-11-21 10:27:11.241403',1,'pending');
CREATE TABLE image_properties (
	id INTEGER NOT NULL, 
	image_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	deleted_at DATETIME, 
	deleted BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	CONSTRAINT ix_image_properties_image_id_name UNIQUE (image_id, name), 
	CHECK (deleted IN (0, 1))
);
INSERT INTO "image_properties" VALUES(1,'00000000-0000-4000-8000-000000000002','os_distro','debian','2026-11-21 10:27:10.587983','2026-11-21 10:27:10.587993',NULL,0);
INSERT INTO "image_properties" VALUES(2,'00000000-0000-4000-8000-000000000002','note','say "hi"\n','2026-11-21 10:27:10.588683','2026-11-21 10:27:10.588689',NULL,0);
INSERT INTO "image_properties" VALUES(3,'00000000-0000-4000-8000-000000000002','gone','x','2026-11-21 10:27:10.589196','2026-11-21 10:27:10.776995','2026-11-21 10:27:10.776385',1);
INSERT INTO "image_properties" VALUES(4,'00000000-0000-4000-8000-000000000002','back','2','2026-11-21 10:27:10.593742','2026-11-21 10:27:10.774889','2026-11-21 10:27:10.734308',0);
INSERT INTO "image_properties" VALUES(5,'00000000-0000-4000-8000-000000000007','os_distro','none','2026-11-21 10:27:11.416948','2026-11-21 10:27:11.541128','2026-11-21 10:27:11.540865',1);
CREATE TABLE image_tags (
	id INTEGER NOT NULL, 
	image_id VARCHAR(36) NOT NULL, 
	value VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	deleted_at DATETIME, 
	deleted BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	CHECK (deleted IN (0, 1))
);
INSERT INTO "image_tags" VALUES(1,'00000000-0000-4000-8000-000000000002','big','2026-11-21 10:27:10.616000','2026-11-21 10:27:10.616012',NULL,0);
INSERT INTO "image_tags" VALUES(2,'00000000-0000-4000-8000-000000000002','red','2026-11-21 10:27:10.616804','2026-11-21 10:27:10.801069','2026-11-21 10:27:10.800487',1);
INSERT INTO "image_tags" VALUES(3,'00000000-0000-4000-8000-000000000002','blue','2026-11-21 10:27:10.798490','2026-11-21 10:27:10.798503',NULL,0);
INSERT INTO "image_tags" VALUES(4,'00000000-0000-4000-8000-000000000007','old','2026-11-21 10:27:11.442194','2026-11-21 10:27:11.566515','2026-11-21 10:27:11.556162',1);
CREATE TABLE "images" (
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(255), 
	size INTEGER, 
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
	virtual_size INTEGER, 
	visibility VARCHAR(9) DEFAULT 'shared' NOT NULL, 
	os_hidden BOOLEAN DEFAULT 0 NOT NULL, 
	os_hash_algo VARCHAR(64), 
	os_hash_value VARCHAR(128), 
	PRIMARY KEY (id)
);
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000001','queued',NULL,'queued','2026-11-21 10:27:10.501474','2026-11-21 10:27:10.501474',NULL,0,NULL,NULL,NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,0,0,NULL,'shared',0,NULL,NULL);
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000002','everything ü',1000,'active','2026-11-21 10:27:10.584602','2026-11-21 10:27:10.766510',NULL,0,'qcow2','bare','0123456789abcdef0123456789abcdef','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',3,256,1,1000,'shared',0,'sha512','abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab');
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000003','public',0,'active','2026-11-21 10:27:10.818093','2026-11-21 10:27:10.889045',NULL,0,'raw','bare','0123456789abcdef0123456789abcdef','cccccccccccccccccccccccccccccccc',0,0,0,0,'public',1,'sha512','abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab');
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000004','community',5368709120,'active','2026-11-21 10:27:10.917206','2026-11-21 10:27:11.019408',NULL,0,'raw','bare','0123456789abcdef0123456789abcdef','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0,0,0,5368709120,'community',0,'sha512','abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab');
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000005','shared',7,'active','2026-11-21 10:27:11.047190','2026-11-21 10:27:11.110837',NULL,0,'raw','bare','0123456789abcdef0123456789abcdef','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0,0,0,7,'shared',0,'sha512','abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab');
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000006',NULL,9,'deactivated','2026-11-21 10:27:11.287762','2026-11-21 10:27:11.386275',NULL,0,'raw','bare','0123456789abcdef0123456789abcdef','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,0,0,9,'private',0,'sha512','abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab');
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000007','deleted',10,'deleted','2026-11-21 10:27:11.414746','2026-11-21 10:27:11.557041','2026-11-21 10:27:11.556162',1,'raw','bare','0123456789abcdef0123456789abcdef','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,0,0,10,'shared',0,'sha512','abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab');
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000008','killed',NULL,'killed','2026-11-21 10:27:11.578175','2026-11-21 10:27:11.651894',NULL,0,'raw','bare',NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,0,0,NULL,'shared',0,NULL,NULL);
INSERT INTO "images" VALUES('00000000-0000-4000-8000-000000000009','orphan',NULL,'queued','2026-11-21 10:27:11.664086','2026-11-21 10:27:11.664086',NULL,0,NULL,NULL,NULL,NULL,0,0,0,NULL,'public',0,NULL,NULL);
CREATE TABLE metadef_namespace_resource_types (
	resource_type_id INTEGER NOT NULL, 
	namespace_id INTEGER NOT NULL, 
	properties_target VARCHAR(80), 
	prefix VARCHAR(80), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	PRIMARY KEY (resource_type_id, namespace_id), 
	FOREIGN KEY(namespace_id) REFERENCES metadef_namespaces (id), 
	FOREIGN KEY(resource_type_id) REFERENCES metadef_resource_types (id)
);
CREATE TABLE metadef_namespaces (
	id INTEGER NOT NULL, 
	namespace VARCHAR(80) NOT NULL, 
	display_name VARCHAR(80), 
	description TEXT, 
	visibility VARCHAR(32), 
	protected BOOLEAN, 
	owner VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_metadef_namespaces_namespace UNIQUE (namespace), 
	CHECK (protected IN (0, 1))
);
CREATE TABLE metadef_objects (
	id INTEGER NOT NULL, 
	namespace_id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	description TEXT, 
	required TEXT, 
	json_schema TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(namespace_id) REFERENCES metadef_namespaces (id), 
	CONSTRAINT uq_metadef_objects_namespace_id_name UNIQUE (namespace_id, name)
);
CREATE TABLE metadef_properties (
	id INTEGER NOT NULL, 
	namespace_id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	json_schema TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(namespace_id) REFERENCES metadef_namespaces (id), 
	CONSTRAINT uq_metadef_properties_namespace_id_name UNIQUE (namespace_id, name)
);
CREATE TABLE metadef_resource_types (
	id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	protected BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_metadef_resource_types_name UNIQUE (name), 
	CHECK (protected IN (0, 1))
);
CREATE TABLE metadef_tags (
	id INTEGER NOT NULL, 
	namespace_id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(namespace_id) REFERENCES metadef_namespaces (id), 
	CONSTRAINT uq_metadef_tags_namespace_id_name UNIQUE (namespace_id, name)
);
CREATE TABLE node_reference (
	node_reference_id INTEGER NOT NULL, 
	node_reference_url VARCHAR(255) NOT NULL, 
	PRIMARY KEY (node_reference_id), 
	CONSTRAINT uq_node_reference_node_reference_url UNIQUE (node_reference_url)
);
CREATE TABLE task_info (
	task_id VARCHAR(36) NOT NULL, 
	input TEXT, 
	result TEXT, 
	message TEXT, 
	PRIMARY KEY (task_id), 
	FOREIGN KEY(task_id) REFERENCES tasks (id)
);
CREATE TABLE tasks (
	id VARCHAR(36) NOT NULL, 
	type VARCHAR(30) NOT NULL, 
	status VARCHAR(30) NOT NULL, 
	owner VARCHAR(255) NOT NULL, 
	expires_at DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME, 
	deleted_at DATETIME, 
	deleted BOOLEAN NOT NULL, image_id VARCHAR(36), request_id VARCHAR(64), user_id VARCHAR(64), 
	PRIMARY KEY (id), 
	CHECK (deleted IN (0, 1))
);
CREATE INDEX ix_image_properties_deleted ON image_properties (deleted);
CREATE INDEX ix_image_properties_image_id ON image_properties (image_id);
CREATE INDEX ix_image_locations_deleted ON image_locations (deleted);
CREATE INDEX ix_image_locations_image_id ON image_locations (image_id);
CREATE INDEX ix_image_members_deleted ON image_members (deleted);
CREATE INDEX ix_image_members_image_id ON image_members (image_id);
CREATE INDEX ix_image_members_image_id_member ON image_members (image_id, member);
CREATE INDEX ix_image_tags_image_id ON image_tags (image_id);
CREATE INDEX ix_image_tags_image_id_tag_value ON image_tags (image_id, value);
CREATE INDEX ix_tasks_deleted ON tasks (deleted);
CREATE INDEX ix_tasks_owner ON tasks (owner);
CREATE INDEX ix_tasks_status ON tasks (status);
CREATE INDEX ix_tasks_type ON tasks (type);
CREATE INDEX ix_tasks_updated_at ON tasks (updated_at);
CREATE INDEX ix_metadef_namespaces_owner ON metadef_namespaces (owner);
CREATE INDEX ix_metadef_ns_res_types_namespace_id ON metadef_namespace_resource_types (namespace_id);
CREATE INDEX ix_metadef_objects_name ON metadef_objects (name);
CREATE INDEX ix_metadef_properties_name ON metadef_properties (name);
CREATE INDEX ix_metadef_tags_name ON metadef_tags (name);
CREATE INDEX ix_tasks_image_id ON tasks (image_id);
CREATE INDEX updated_at_image_idx ON images (updated_at);
CREATE INDEX visibility_image_idx ON images (visibility);
CREATE INDEX os_hash_value_image_idx ON images (os_hash_value);
CREATE INDEX ix_images_deleted ON images (deleted);
CREATE INDEX owner_image_idx ON images (owner);
CREATE INDEX checksum_image_idx ON images (checksum);
CREATE INDEX os_hidden_image_idx ON images (os_hidden);
CREATE INDEX created_at_image_idx ON images (created_at);
COMMIT;
