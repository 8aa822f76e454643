//! Tools whose schemas are the point: they must reach the client to the letter.

use std::borrow::Cow;

use dormouse_function::{Context, Function, ToolError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What this module has.
pub fn offer(function: Function) -> Function {
    function
        .tool(
            "json_schema_2020_12_tool",
            "Tool with JSON Schema 2020-12 features",
            accept,
        )
        .tool(
            "test_custom_header",
            "Repeat the region, which is also a header of the request.",
            custom_header,
        )
}

/// A contact, described with keywords that no Rust type stands for.
#[derive(Deserialize)]
#[serde(transparent)]
struct Contact(Map<String, Value>);

impl JsonSchema for Contact {
    fn schema_name() -> Cow<'static, str> {
        "Contact".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
                },
            },
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {
                "properties": {"contactMethod": {"const": "phone"}},
                "required": ["contactMethod"],
            },
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false,
        })
    }
}

async fn accept(_: Context, contact: Contact) -> Result<String, ToolError> {
    Ok(serde_json::to_string(&contact.0)?)
}

#[derive(Deserialize, JsonSchema)]
struct CustomHeader {
    /// Where the work shall be done.
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

async fn custom_header(_: Context, args: CustomHeader) -> Result<String, ToolError> {
    Ok(args.region)
}
