//! The contract: the `OpenAPI` document, made from the route table and the request types.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{
    AuthorizationCode, ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, RefOr, Schema, Server,
};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{FaultBody, LimitBody, MEDIA_TYPE, ProblemBody};
use super::routes::{Access, Row};
use super::settings::{Listener, ServerSettings};
use crate::core::policy::{ADMIN, REQUESTS_READ, REQUESTS_WORK, REQUESTS_WRITE, SCOPES, WEBHOOKS_MANAGE};
use crate::core::schemes::{BASIC, BEARER, OAUTH2};
use crate::core::type_scopes::TypeScopes;
use crate::queue::types::Types;
use crate::verify::LoginOffer;

mod logins;
mod yaml;

use yaml::Yaml;

const DESCRIPTION: &str = "Anteroom stands between a Provider's services and the programs of its Clients: it checks every caller's token, \
    takes requests into a durable queue, answers a `request_id`, and tells how a request gets on.\n\n\
    Get a token with **Authorize** (OAuth2, client credentials), submit a request, and ask for its status until it is terminal. \
    Errors are `application/problem+json` (RFC 9457).";

const TAGS: &[(&str, &str)] = &[
    ("requests", "Submit requests and see how they get on"),
    ("workers", "Take requests up, work on them, and look after those that have failed"),
    ("webhooks", "Be told what becomes of your requests"),
    ("tokens", "Tokens that the gateway issues itself"),
    ("accounts", "People who log in with a name and a password"),
    ("caller", "Who a token speaks for"),
    ("guards", "Decisions for reverse proxies in front of other services"),
    ("partner", "The partner prototype's API, in its own words"),
    ("contract", "This document"),
    ("health", "For whoever runs the gateway"),
    ("admin", "For whoever operates the gateway"),
];

/// What every guarded operation may answer.
const GUARDED: &[(u16, &str)] = &[
    (401, "There is no genuine token; `code` says why"),
    (403, "The token is genuine and does not allow this"),
    (
        503,
        "The gateway is overloaded, or what it needs to verify the token or to store the request is not to be had now",
    ),
];
/// And where the request can not be told from another one.
const AMBIGUOUS: &[(u16, &str)] = &[(400, "The request carries more than one token")];
/// And where what the caller's owner takes is limited.
const LIMITED: &[(u16, &str)] =
    &[(429, "The share of the caller is used up; `limit` says which limit, and `reset` for how long")];
/// What every operation that reads a body may answer.
const WITH_BODY: &[(u16, &str)] = &[
    (400, "The request can not be read; `errors` says where"),
    (408, "The body did not arrive in time"),
    (413, "The body is too large"),
    (415, "The body is not of a media type that is read here, or it is compressed"),
];

/// Where tokens are to be had; relative to the server, so that it holds behind a path prefix.
const TOKEN_URL: &str = "oauth/token";
/// Where people log in.
const AUTHORIZATION_URL: &str = "oauth/authorize";

/// The contract, serialized.
#[derive(Clone, Debug)]
pub struct Contract {
    /// As JSON, and what names this state of it.
    pub json: Bytes,
    pub(super) json_etag: String,
    /// As JSON for the page, one folder below.
    pub(super) page: Bytes,
    /// As YAML, made when the first asks: few do, and every start would wait for it.
    yaml: Arc<OnceLock<Yaml>>,
}

impl Contract {
    /// The contract of what a gateway with these request types serves to clients; `has_ui_client` says whether people can log in at its
    /// page.
    ///
    /// # Errors
    /// The serializer's.
    pub fn of(types: &Types, server: &ServerSettings, has_ui_client: bool) -> Result<Self, serde_json::Error> {
        let listener = server.main_listener();
        let rows = super::table(listener, server.effective_mode(), types.partner().is_some());
        let mut document = serde_json::to_value(assemble(rows, listener, has_ui_client))?;
        describe_errors(&mut document);
        describe_types(&mut document, types);
        describe_scopes(&mut document, types.scopes());
        Self::written(document)
    }

    /// The same, where people can log in at other issuers too.
    ///
    /// # Errors
    /// The serializer's.
    pub(super) fn offering(&self, offers: &[Arc<LoginOffer>]) -> Result<Self, serde_json::Error> {
        let mut document = serde_json::from_slice(&self.json)?;
        logins::describe(&mut document, offers);
        Self::written(document)
    }

    fn written(mut document: Value) -> Result<Self, serde_json::Error> {
        let json: Bytes = serde_json::to_vec_pretty(&document)?.into();
        move_below(&mut document);
        let page = serde_json::to_vec(&document)?.into();
        Ok(Self { json_etag: etag(&json), json, page, yaml: Arc::default() })
    }
}

/// A strong tag: it is sent in one encoding only.
fn etag(content: &[u8]) -> String {
    format!("\"{:08x}\"", crc32fast::hash(content))
}

/// The document as the handlers tell it.
fn assemble(rows: Vec<Row>, listener: Listener, has_ui_client: bool) -> OpenApi {
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::from([
        (ProblemBody::name().into_owned(), ProblemBody::schema()),
        (FaultBody::name().into_owned(), FaultBody::schema()),
        (LimitBody::name().into_owned(), LimitBody::schema()),
    ]);
    let mut paths = PathsBuilder::new();
    for row in rows {
        if let Some(documented) = row.documented {
            schemas.extend(documented.schemas);
            for method in documented.methods {
                let mut operation = documented.operation.clone();
                if row.access != Access::Open {
                    operation
                        .extensions
                        .get_or_insert_default()
                        .insert(GUARDED_MARK.into(), (row.access == Access::Token).into());
                }
                paths = paths.path(&row.path, PathItem::new(method, operation));
            }
        }
    }
    // The others guard no operation of this document.
    let offered = |scope: &str| {
        [REQUESTS_READ, REQUESTS_WRITE, REQUESTS_WORK, WEBHOOKS_MANAGE].contains(&scope)
            || scope == ADMIN && listener.has_admin()
    };
    let scopes = SCOPES.iter().filter(|(scope, _)| offered(scope)).copied().collect::<Scopes>();
    let by_code = has_ui_client
        .then(|| Flow::AuthorizationCode(AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, scopes.clone())));
    let flows = [Flow::ClientCredentials(ClientCredentials::new(TOKEN_URL, scopes))].into_iter().chain(by_code);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(OAUTH2, SecurityScheme::OAuth2(OAuth2::new(flows)))
        .security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme(BASIC, SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    let license = License::builder().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Anteroom")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license));
    let tags =
        TAGS.iter().map(|(name, description)| TagBuilder::new().name(*name).description(Some(*description)).build());
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([Server::new("./")]))
        .tags(Some(tags))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// Moves the relative addresses into a folder below. Swagger UI takes these as relative to its page, where the specification
/// says: to the server; so the page reads a document of its own, in which both come to the same.
fn move_below(document: &mut Value) {
    document["servers"] = json!([{ "url": "../" }]);
    let flows = document.pointer_mut("/components/securitySchemes/oauth2/flows").and_then(Value::as_object_mut);
    for flow in flows.into_iter().flat_map(Map::values_mut) {
        for (name, url) in [("authorizationUrl", AUTHORIZATION_URL), ("tokenUrl", TOKEN_URL)] {
            if flow.get(name).is_some() {
                flow[name] = format!("../{url}").into();
            }
        }
    }
}

/// Marks a guarded operation until its errors are described, and says whether it is limited; it does not stay in the document.
const GUARDED_MARK: &str = "x-guarded";

/// Adds the errors that follow from what an operation is, and gives every error its body.
fn describe_errors(document: &mut Value) {
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in operations.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        let Some(operation) = operation.as_object_mut() else { continue };
        let mark = operation.remove(GUARDED_MARK);
        let (guarded, limited) = (mark.is_some(), if mark == Some(Value::Bool(true)) { LIMITED } else { &[] });
        let with_body = operation.contains_key("requestBody");
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        let with_body = if with_body { WITH_BODY } else { &[] };
        for (status, description) in [GUARDED, with_body, AMBIGUOUS, limited].into_iter().flatten().filter(|_| guarded)
        {
            responses.entry(status.to_string()).or_insert_with(|| json!({ "description": description }));
        }
        if guarded {
            for (status, response) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
                give_body(status, response);
            }
        }
        let mut other = json!({ "description": "Any other error" });
        give_body("default", &mut other);
        responses.insert("default".into(), other);
    }
}

fn give_body(status: &str, response: &mut Value) {
    let Some(response) = response.as_object_mut() else { return };
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    response.entry("content").or_insert_with(|| json!({ MEDIA_TYPE: { "schema": schema } }));
    let header = |description: &str, kind: &str| json!({ "description": description, "schema": { "type": kind } });
    let headers = match status {
        "401" => json!({ "WWW-Authenticate": header("The challenge, RFC 6750", "string") }),
        "403" => {
            json!({ "WWW-Authenticate": header("The challenge, RFC 6750, with the scope that is needed", "string") })
        }
        "429" | "503" => json!({ "Retry-After": header("Seconds after which to try again", "integer") }),
        _ => return,
    };
    response.entry("headers").or_insert(headers);
}

/// What a submission is, alone and in a batch: its schema, and the operation.
const SUBMISSIONS: [(&str, &str); 2] = [("SubmitRequest", "/v1/requests"), ("BatchItem", "/v1/requests/batch")];

/// Tells which types may be submitted, and what the payload of each must look like.
fn describe_types(document: &mut Value, types: &Types) {
    let listed =
        types.iter().map(|kind| format!("`{}`: {}", kind.name, kind.description)).collect::<Vec<_>>().join("; ");
    for (schema, path) in SUBMISSIONS {
        let submit = &mut document["components"]["schemas"][schema];
        submit["properties"]["type"]["enum"] = types.names().collect();
        submit["properties"]["type"]["description"] = format!("The type of the request. {listed}").into();
        if types.get("default").is_none() {
            name_the_type(submit, types);
            let content = &mut document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
            remove(content, "example");
        }
    }
    describe_payloads(document, types);
}

/// Where no type is named `default`, the one that is meant must be named.
fn name_the_type(submit: &mut Value, types: &Types) {
    let kind = &mut submit["properties"]["type"];
    remove(kind, "default");
    match types.names().next() {
        Some(name) => kind["example"] = name.into(),
        None => remove(kind, "example"),
    }
    if let Some(required) = submit["required"].as_array_mut() {
        required.insert(0, "type".into());
    }
}

fn remove(object: &mut Value, name: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(name);
    }
}

/// Adds the scopes that types name: each will do where one of requests is needed, for those of its types.
fn describe_scopes(document: &mut Value, scopes: &TypeScopes) {
    let flows = document.pointer_mut("/components/securitySchemes/oauth2/flows").and_then(Value::as_object_mut);
    for flow in flows.into_iter().flat_map(Map::values_mut) {
        for (name, scope) in scopes.iter() {
            flow["scopes"][name] = scope.allows().into();
        }
    }
    let is_by_type = |way: &Value| way["oauth2"] == json!([REQUESTS_READ]) || way["oauth2"] == json!([REQUESTS_WRITE]);
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let ways = operation.get_mut("security").and_then(Value::as_array_mut);
        if let Some(ways) = ways.filter(|ways| ways.iter().any(is_by_type)) {
            ways.extend(scopes.iter().map(|(name, _)| json!({ "oauth2": [name] })));
        }
    }
}

/// Adds the schemas of the payloads, and says which holds for which type.
fn describe_payloads(document: &mut Value, types: &Types) {
    let rule = |name: &str| {
        json!({
            "if": { "properties": { "type": { "const": name } }, "required": ["type"] },
            "then": { "properties": { "payload": { "$ref": format!("#/components/schemas/Payload.{name}") } } },
        })
    };
    let rules: Vec<Value> = types.iter().filter(|kind| kind.schema().is_some()).map(|kind| rule(&kind.name)).collect();
    if !rules.is_empty() {
        for (schema, _) in SUBMISSIONS {
            document["components"]["schemas"][schema]["allOf"] = rules.clone().into();
        }
    }
    for kind in types.iter() {
        if let Some(schema) = kind.schema() {
            let name = format!("Payload.{}", kind.name);
            let mut schema = schema.clone();
            move_refs(&mut schema, &format!("#/components/schemas/{name}"));
            document["components"]["schemas"][name] = schema;
        }
    }
    if let Some(kind) = types.partner().filter(|kind| kind.schema().is_some()) {
        let schema = json!({ "$ref": format!("#/components/schemas/Payload.{}", kind.name) });
        document["paths"]["/request"]["post"]["requestBody"]["content"]["application/json"]["schema"] = schema;
    }
}

/// Makes the references of a schema to itself hold where it is embedded. One with an `$id` is its own base wherever it stands.
fn move_refs(schema: &mut Value, place: &str) {
    match schema {
        Value::Object(members) if !members.get("$id").is_some_and(Value::is_string) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" && (target == "#" || target.starts_with("#/")) => {
                        target.replace_range(..1, place);
                    }
                    _ => move_refs(member, place),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_refs(item, place)),
        _ => {}
    }
}
