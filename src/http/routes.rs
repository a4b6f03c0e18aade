//! The machinery behind the route table: one registration gives the route, its place in the contract, and the `Allow` of a 405.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, Schema};

use super::authn;
use super::problem::Problem;
use crate::telemetry::metrics::{Metrics, RouteMetrics};

/// What is counted and logged in place of a path that is nobody's.
const UNMATCHED: &str = "unmatched";

/// What stands before a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// A token is judged before the handler runs.
    Token,
    /// Nothing: the handler itself decides about a token, whatever the method.
    Decision,
}

/// One operation of the gateway.
pub(super) struct Row {
    pub(super) path: String,
    pub(super) methods: Vec<Method>,
    pub(super) access: Access,
    /// What the contract says of it; none for pages and redirects.
    pub(super) documented: Option<Documented>,
    route: fn() -> Route,
}

/// An operation as the contract knows it.
pub(super) struct Documented {
    pub(super) methods: Vec<HttpMethod>,
    pub(super) operation: Operation,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Row {
    /// An operation of the contract: path, methods and description are those above the handler.
    pub(super) fn operation<D: utoipa::Path + utoipa::__dev::SchemaReferences + for<'t> utoipa::__dev::Tags<'t>>(
        access: Access,
        route: fn() -> Route,
    ) -> Self {
        let mut schemas = Vec::new();
        D::schemas(&mut schemas);
        let mut operation = D::operation();
        operation.tags = Some(D::tags().into_iter().map(str::to_owned).collect());
        let documented = Documented { methods: D::methods(), operation, schemas };
        let methods = documented.methods.iter().map(method).collect();
        Self { path: D::path(), methods, access, documented: Some(documented), route }
    }

    /// A page or a redirect, which the contract does not describe.
    pub(super) fn page(path: &str, methods: &[Method], route: fn() -> Route) -> Self {
        Self { path: path.into(), methods: methods.to_vec(), access: Access::Open, documented: None, route }
    }
}

fn method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// The rows of a listener, with what each path counts.
pub(super) struct Routes {
    rows: Vec<Row>,
    counted: Vec<Arc<RouteMetrics>>,
    unmatched: Arc<RouteMetrics>,
}

impl Routes {
    pub(super) fn new(rows: Vec<Row>, metrics: &Metrics) -> Self {
        let counted = paths(&rows).map(|path| metrics.route(path)).collect();
        // What the contract says of them is of no use from here on, and large.
        let rows = rows.into_iter().map(|row| Row { documented: None, ..row }).collect();
        Self { rows, counted, unmatched: metrics.route(UNMATCHED) }
    }

    /// Whether there is a row of this path.
    pub(super) fn serve(&self, path: &str) -> bool {
        self.rows.iter().any(|row| row.path == path)
    }

    /// Where an exchange is counted. One that did not get as far as its resource is looked up by its path.
    pub(super) fn counting<'a>(&'a self, request: &'a HttpRequest) -> &'a RouteMetrics {
        if let Some(route) = request.app_data::<Arc<RouteMetrics>>() {
            return route;
        }
        let pattern = request.match_pattern();
        let of_pattern = |pattern: String| self.counted.iter().find(|route| route.path() == pattern);
        pattern.and_then(of_pattern).unwrap_or(&self.unmatched)
    }

    /// Registers the rows.
    pub(super) fn mount(&self, config: &mut ServiceConfig) {
        for route in &self.counted {
            let of_path = self.rows.iter().filter(|row| row.path == route.path());
            let rows = of_path.collect::<Vec<_>>();
            let resource = resource(route, &rows);
            if rows.iter().any(|row| row.access == Access::Token) {
                config.service(resource.wrap(from_fn(authn::authenticate)));
            } else {
                config.service(resource);
            }
        }
    }
}

/// One path: GET answers HEAD; any method that no row has is 405 with the `Allow` header, but where a
/// decision is asked for.
fn resource(route: &Arc<RouteMetrics>, rows: &[&Row]) -> Resource {
    let mut allow: Vec<Method> = rows.iter().flat_map(|row| row.methods.iter().cloned()).collect();
    if allow.contains(&Method::GET) {
        allow.push(Method::HEAD);
    }
    let allow: Arc<str> = allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ").into();
    let refuse = move || ready(refuse_method(&allow));
    let mut resource = web::resource(route.path()).app_data(Arc::clone(route));
    resource = match rows.iter().find(|row| row.access == Access::Decision) {
        Some(row) => resource.default_service((row.route)()),
        None => resource.default_service(web::to(refuse)),
    };
    for row in rows {
        for method in &row.methods {
            resource = resource.route((row.route)().method(method.clone()));
            if method == Method::GET {
                resource = resource.route((row.route)().method(Method::HEAD));
            }
        }
    }
    resource
}

/// Each path once, wherever its rows stand: a second resource of the same path would never be reached.
fn paths(rows: &[Row]) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    rows.iter().map(|row| row.path.as_str()).filter(move |path| seen.insert(*path))
}

fn refuse_method(allow: &str) -> Result<HttpResponse, Problem> {
    Err(Problem::method_not_allowed(allow))
}

/// Lists operations by handler and module; each handler's contract stands above it.
macro_rules! operations {
    ($access:expr; $($handler:ident in $($module:ident)::+),* $(,)?) => {
        pastey::paste! {
            vec![$($crate::http::routes::Row::operation::<$($module)::+::[<__path_ $handler>]>(
                $access,
                || actix_web::web::route().to($($module)::+::$handler),
            )),*]
        }
    };
}
pub(super) use operations;

#[cfg(test)]
mod tests {
    use actix_web::Route;
    use actix_web::http::Method;

    use super::{Row, paths};

    #[test]
    fn a_path_is_mounted_once_wherever_its_rows_stand() {
        let rows = ["/a", "/b", "/a", "/a"].map(|path| Row::page(path, &[Method::GET], Route::new));
        assert_eq!(paths(&rows).collect::<Vec<_>>(), ["/a", "/b"]);
    }
}
