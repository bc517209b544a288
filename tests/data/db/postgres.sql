SELECT concat_ws(E'\t', 'column', table_name, column_name, udt_name, character_maximum_length::text, is_nullable, coalesce(column_default, '-')) AS fact
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT concat_ws(E'\t', 'index', tablename, indexname, indexdef) FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT concat_ws(E'\t', 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT concat_ws(E'\t', 'value', enumtypid::regtype::text, enumlabel, enumsortorder::text) FROM pg_enum
