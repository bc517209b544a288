-- The revision that the original calls this schema: its tools find nothing left to do. With this row the schema
-- is made to the end.

INSERT INTO alembic_version (version_num) VALUES ('2024_1_contract01');
