//! What schemas say, and what is told of documents that are otherwise.

use serde_json::{Value as Json, json};

use super::*;

fn schema(json: Json) -> Schema {
    Schema::from_json(&json).unwrap()
}

fn map(json: Json) -> Map {
    let Ok(Value::Map(map)) = Value::from_json(&json) else { panic!("not a map") };
    map
}

#[track_caller]
fn tells(rules: Json, value: Json, told: &str) {
    let schema = schema(json!({"properties": {"a": rules}}));
    let violations: Vec<String> = schema.check(&map(json!({"a": value}))).iter().map(ToString::to_string).collect();
    assert_eq!(violations.join("; "), told);
}

#[test]
fn each_rule_says_what_it_asks_for_and_what_is_there() {
    tells(json!({"type": "string"}), json!(5), "`a` must be text, not a whole number");
    tells(
        json!({"type": ["integer", "null"]}),
        json!(5.5),
        "`a` must be null or a whole number, not a number with a fraction",
    );
    tells(json!({"type": "number"}), json!(5), "");
    tells(json!({"type": "geometry"}), json!({"type": "Point", "coordinates": [1, 2]}), "");
    tells(
        json!({"type": "object"}),
        json!({"type": "Point", "coordinates": [1, 2]}),
        "`a` must be a map of fields, not a geometry",
    );
    tells(json!({"enum": [1, "x"]}), json!(1.0), "");
    tells(json!({"enum": [1, "x"]}), json!("y"), r#"`a` must be 1 or "x", not "y""#);
    tells(json!({"minimum": 0, "maximum": 10}), json!(-0.5), "`a` must be at least 0, not -0.5");
    tells(json!({"minimum": 0, "maximum": 10}), json!(11), "`a` must be at most 10, not 11");
    tells(json!({"minimum": 0, "maximum": 10}), json!(10), "");
    // Of a text no number is asked.
    tells(json!({"minimum": 5, "minItems": 1}), json!(""), "");
    tells(json!({"minLength": 2}), json!("ñ"), "`a` must have at least 2 characters, and has 1");
    tells(json!({"maxLength": 1}), json!("ñandú"), "`a` must have at most 1 character, and has 5");
    tells(json!({"minItems": 1}), json!([]), "`a` must have at least 1 item, and has 0");
    tells(json!({"maxItems": 2}), json!([1, 2, 3]), "`a` must have at most 2 items, and has 3");
    tells(json!({"pattern": "^[A-Z]{2}$"}), json!("Per"), r#"`a` must match ^[A-Z]{2}$, which "Per" does not"#);
    tells(json!({"items": {"type": "string"}}), json!(["x", 5]), "`a`, item 1, must be text, not a whole number");
    let inner = json!({"properties": {"b": {"type": "string"}}, "required": ["c"], "additionalProperties": false});
    tells(inner.clone(), json!({"b": "x", "c": 1}), "`a.c` is no field of the schema, which takes no others");
    tells(inner, json!({"b": 1}), "`a.c` is required; `a.b` must be text, not a whole number");
}

#[test]
fn what_the_schema_does_not_know_is_left_alone() {
    let schema = schema(json!({"properties": {"a": {"type": "string"}}}));
    assert_eq!(schema.check(&map(json!({"b": 5, "c": {"d": []}}))), []);
}

#[test]
fn defaults_are_put_in_where_nothing_is() {
    let schema = schema(json!({"properties": {
        "kind": {"default": "well"}, "n": {"default": 0},
        "inner": {"properties": {"open": {"type": "boolean", "default": true}}}
    }}));
    let filled = |json: Json| {
        let mut fields = map(json);
        schema.fill_defaults(&mut fields);
        Value::Map(fields).to_json()
    };
    assert_eq!(filled(json!({"n": null})), json!({"kind": "well", "n": null}));
    assert_eq!(filled(json!({"n": 2, "inner": {}})), json!({"kind": "well", "n": 2, "inner": {"open": true}}));
}

#[test]
fn a_field_has_the_merge_kind_that_the_schema_gives_it() {
    let schema = schema(json!({"properties": {
        "visits": {"merge": "counter"}, "stay": {"properties": {"depth": {"merge": "max"}}}, "tags": {"merge": "set"}
    }}));
    assert!(schema.has_merge_kinds());
    assert_eq!(schema.merge_kind(&["visits"]), Kind::Counter);
    assert_eq!(schema.merge_kind(&["stay", "depth"]), Kind::Max);
    assert_eq!(schema.merge_kind(&["stay"]), Kind::Latest);
    assert_eq!(schema.merge_kind(&["other", "depth"]), Kind::Latest);
    assert_eq!(schema.types(&"tags".parse().unwrap()), [FieldType::Array]);
}

fn full() -> Json {
    json!({
        "version": 3, "title": "Places", "description": "of water",
        "properties": {
            "name": {"type": "string", "title": "Name", "minLength": 1, "maxLength": 100, "pattern": "^."},
            "kind": {"type": ["null", "string"], "enum": ["well", null], "default": "well"},
            "depth": {"type": "number", "minimum": 0, "maximum": 500.5, "merge": "max"},
            "visits": {"type": "integer", "merge": "counter"},
            "tags": {"type": "array", "merge": "set", "items": {"type": "string"}, "minItems": 1, "maxItems": 9},
            "address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "place": {"type": "geometry", "description": "where"}
        },
        "required": ["name"], "additionalProperties": false,
        "indexes": ["name", ["kind", "depth"], {"geometry": "place"}, {"text": ["name"]}]
    })
}

#[test]
fn a_schema_reads_back_from_its_json() {
    let schema = schema(full());
    assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema.clone()));
    let sorted = |json: &Json| json["properties"].clone();
    assert_eq!(sorted(&schema.to_json()), sorted(&full()));
    assert_eq!(schema.indexes().len(), 4);
}

#[track_caller]
fn refused(json: Json, told: &str) {
    let error = Schema::from_json(&json).unwrap_err().to_string();
    assert!(error.contains(told), "{error}");
}

#[test]
fn json_that_is_no_schema_is_refused_with_the_place_and_the_reason() {
    let of = |rules: Json| json!({"properties": {"a": {"properties": {"b": rules}}}});
    refused(json!([]), "a schema is an object");
    refused(json!({"propertys": {}}), r#""propertys" is no word of a schema"#);
    refused(json!({"fields": {}}), r#"the fields stand in "properties""#);
    refused(json!({"primaryKey": "id"}), "`put` gives the key");
    refused(json!({"type": "array"}), "a document is one");
    refused(json!({"properties": {"_id": {}}}), "`_id` stands for");
    refused(json!({"indexes": [5]}), "is no index");
    refused(json!({"required": "name"}), r#""required" takes a list"#);
    refused(of(json!("string")), "in `a.b`: the rules of a field are an object");
    refused(of(json!({"type": "text"})), r#"in `a.b`: "type" takes one or a list of null"#);
    refused(of(json!({"enum": []})), "at least one value");
    refused(of(json!({"minimum": "0"})), r#""minimum" takes a number"#);
    refused(of(json!({"maxLength": -1})), r#""maxLength" takes a whole number"#);
    refused(of(json!({"pattern": "("})), "in `a.b`: ");
    refused(of(json!({"merge": "text"})), r#""merge" takes "latest""#);
    refused(of(json!({"merge": "counter", "type": "string"})), "a counter is of type");
    refused(of(json!({"merge": "set", "type": "integer"})), "a set is of type");
    refused(of(json!({"merge": "max", "properties": {"c": {}}})), "merge one by one");
    refused(of(json!({"items": {"merge": "max"}})), "items of a list have no");
    refused(of(json!({"minimum": 2, "maximum": 1})), "is more than");
    refused(of(json!({"minItems": 2, "maxItems": 1})), "is more than");
    refused(of(json!({"default": 5, "maximum": 4})), "breaks the rules beside it");
    let deep = (0..=ayni_doc::DEPTH).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}));
    refused(deep, "32 deep at most");
    let typed = |count: usize| (0..count).map(|number| (format!("f{number}"), json!({"type": "string"})));
    let many = |count| json!({"properties": serde_json::Map::from_iter(typed(count))});
    assert!(Schema::from_json(&many(1_000)).is_ok());
    refused(many(1_001), "at most 1000 fields");
    let patterned = |count: usize| (0..count).map(|number| (format!("f{number}"), json!({"pattern": "a"})));
    refused(json!({"properties": serde_json::Map::from_iter(patterned(51))}), "at most 50 patterns");
    let indexes: Vec<String> = (0..65).map(|number| format!("f{number}")).collect();
    refused(json!({ "indexes": indexes }), "at most 64 indexes");
    assert!(matches!("{".parse::<Schema>(), Err(SchemaError::Syntax(_))));
}

#[test]
fn of_a_schema_that_a_newer_program_wrote_the_known_part_holds() {
    let newer = json!({"properties": {"a": {"type": "string", "shape": "round"}}, "colours": 5});
    assert!(Schema::from_json(&newer).is_err());
    assert_eq!(Schema::from_newer(&newer), Ok(schema(json!({"properties": {"a": {"type": "string"}}}))));
}

#[test]
fn a_schema_names_a_conflict_handler_with_its_version() {
    let json = json!({"conflictHandler": {"name": "notes", "version": 2}});
    let named = schema(json.clone());
    assert_eq!(named.conflict_handler().map(ToString::to_string).as_deref(), Some("notes, version 2"));
    assert_eq!(named.to_json(), json);
    let refused = |handler: Json| Schema::from_json(&json!({ "conflictHandler": handler })).unwrap_err().to_string();
    for wrong in [json!("notes"), json!({"name": "notes"}), json!({"name": " ", "version": 1}), json!({"version": 1})] {
        assert!(refused(wrong).contains("takes the name and version of a handler"));
    }
    assert!(refused(json!({"name": "x".repeat(257), "version": 1})).contains("takes"));
    let newer = json!({"name": "notes", "version": 2, "by": "hash"});
    assert_eq!(refused(newer.clone()), "in `conflictHandler`: \"by\" is no word of a schema");
    assert_eq!(Schema::from_newer(&json!({ "conflictHandler": newer })).unwrap(), named);
}
