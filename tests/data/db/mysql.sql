SELECT CONCAT_WS('\t', 'column', table_name, column_name, column_type, is_nullable, COALESCE(column_default, '-'), extra, COALESCE(collation_name, '-')) AS fact
FROM information_schema.columns WHERE table_schema = DATABASE()
UNION ALL
SELECT CONCAT_WS('\t', 'index', table_name, index_name, IF(non_unique, 'plain', 'unique'), GROUP_CONCAT(column_name ORDER BY seq_in_index))
FROM information_schema.statistics WHERE table_schema = DATABASE() GROUP BY table_name, index_name, non_unique
UNION ALL
SELECT CONCAT_WS('\t', 'foreign key', table_name, column_name, referenced_table_name, referenced_column_name)
FROM information_schema.key_column_usage WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL
UNION ALL
SELECT CONCAT_WS('\t', 'table', table_name, engine, table_collation)
FROM information_schema.tables WHERE table_schema = DATABASE()
