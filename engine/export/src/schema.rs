//! Which columns a row has. The order is that of `row.rs`; names and meanings are in `docs/EXPORT.md`.

use std::sync::Arc;

use parquet::errors::Result;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

/// Counts up when a reader of the files would have to be changed.
pub const SCHEMA_VERSION: u32 = 1;

/// The schema of a file.
pub fn schema() -> Result<TypePtr> {
    Ok(Arc::new(parse_message_type(&text())?))
}

/// A map of attributes with their values' types beside it.
fn attributes(prefix: &str) -> String {
    format!(
        "required group {prefix}attributes (MAP) {{
           repeated group key_value {{
             required binary key (STRING);
             optional binary value (STRING);
           }}
         }}
         required group {prefix}attribute_types (LIST) {{
           repeated group list {{ required binary element (STRING); }}
         }}"
    )
}

fn text() -> String {
    let (own, of_span) = (attributes(""), attributes("span_"));
    let (of_scope, of_resource) = (attributes("scope_"), attributes("resource_"));
    format!(
        "message span {{
           required binary tenant (STRING);
           required binary trace_id (STRING);
           required binary span_id (STRING);
           optional binary parent_span_id (STRING);
           optional binary trace_state (STRING);
           required int32 flags (INTEGER(32,false));
           required binary name (STRING);
           required binary kind (STRING);
           optional int64 start_time (TIMESTAMP(NANOS,true));
           optional int64 end_time (TIMESTAMP(NANOS,true));
           required int64 duration_ns (INTEGER(64,false));
           required int64 start_time_unix_nano (INTEGER(64,false));
           required int64 end_time_unix_nano (INTEGER(64,false));
           required binary status_code (STRING);
           optional binary status_message (STRING);
           optional binary service_name (STRING);
           {of_span}
           required group events (LIST) {{
             repeated group list {{
               required group element {{
                 optional int64 time (TIMESTAMP(NANOS,true));
                 required int64 time_unix_nano (INTEGER(64,false));
                 required binary name (STRING);
                 {own}
                 required int32 dropped_attributes_count (INTEGER(32,false));
                 optional binary unknown_fields;
               }}
             }}
           }}
           required group links (LIST) {{
             repeated group list {{
               required group element {{
                 required binary trace_id (STRING);
                 required binary span_id (STRING);
                 optional binary trace_state (STRING);
                 required int32 flags (INTEGER(32,false));
                 {own}
                 required int32 dropped_attributes_count (INTEGER(32,false));
                 optional binary unknown_fields;
               }}
             }}
           }}
           optional binary scope_name (STRING);
           optional binary scope_version (STRING);
           {of_scope}
           {of_resource}
           required int32 dropped_attributes_count (INTEGER(32,false));
           required int32 dropped_events_count (INTEGER(32,false));
           required int32 dropped_links_count (INTEGER(32,false));
           required int32 scope_dropped_attributes_count (INTEGER(32,false));
           required int32 resource_dropped_attributes_count (INTEGER(32,false));
           optional binary scope_schema_url (STRING);
           optional binary resource_schema_url (STRING);
           optional binary unknown_fields;
           optional binary status_unknown_fields;
           optional binary scope_unknown_fields;
           optional binary resource_unknown_fields;
         }}"
    )
}
