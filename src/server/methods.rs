//! The methods of a path. In a route table they read like one:
//! `get(images::list).post(images::create).allow("GET, POST")`.
//!
//! Unlike axum's own, a path does not answer HEAD because it answers GET, and what is not offered gets the
//! `Allow` list of the original in its order.

use std::convert::Infallible;

use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter};
use http::{Method, StatusCode};

use super::extract::{AnyBody, NoBody};
use super::fault::{self, Fault};
use crate::ops::Glance;

/// The handlers of a path, one per method.
pub(super) struct Methods(MethodRouter<Glance, Infallible>);

/// A method on a path that has others.
macro_rules! further {
    ($name:ident, $filter:ident) => {
        impl Methods {
            pub(super) fn $name<H, T>(self, handler: H) -> Self
            where
                H: Handler<T, Glance>,
                T: 'static,
            {
                Self(self.0.on(MethodFilter::$filter, handler))
            }
        }
    };
}

/// The same, and the first method of a path.
macro_rules! first {
    ($name:ident, $filter:ident) => {
        further!($name, $filter);

        pub(super) fn $name<H, T>(handler: H) -> Methods
        where
            H: Handler<T, Glance>,
            T: 'static,
        {
            Methods(MethodRouter::new()).$name(handler)
        }
    };
}

first!(get, GET);
first!(put, PUT);
first!(post, POST);
first!(delete, DELETE);
further!(patch, PATCH);

impl Methods {
    /// Refuses every other method.
    pub(super) fn allow(self, allow: &'static str) -> MethodRouter<Glance, Infallible> {
        self.otherwise(move |_: AnyBody| async move { fault::method_not_allowed(allow) })
    }

    /// Every other method finds nothing here.
    pub(super) fn only(self) -> MethodRouter<Glance, Infallible> {
        self.otherwise(async |method: Method| fault::unrouted(&method))
    }

    fn otherwise<H, T>(self, handler: H) -> MethodRouter<Glance, Infallible>
    where
        H: Handler<T, Glance>,
        T: 'static,
    {
        (self.0)
            .on(MethodFilter::HEAD, handler.clone())
            .fallback(handler)
    }
}

/// A path of the API whose work this server does not do.
pub(super) fn absent(allow: &'static str) -> MethodRouter<Glance, Infallible> {
    let offered = move |name: &str| allow.split(", ").any(|method| method == name);
    let mut methods = Methods(MethodRouter::new());
    if offered("GET") {
        methods = methods.get(unoffered_bare);
    }
    if offered("DELETE") {
        methods = methods.delete(unoffered_bare);
    }
    if offered("POST") {
        methods = methods.post(unoffered);
    }
    if offered("PUT") {
        methods = methods.put(unoffered);
    }
    methods.allow(allow)
}

/// The same where no body belongs.
async fn unoffered_bare(_: NoBody) -> impl IntoResponse {
    unoffered().await
}

/// Says that this server does not do it.
pub(super) async fn unoffered() -> Fault {
    not_offered()
}

/// What says so.
pub(super) fn not_offered() -> Fault {
    let sentence = "This part of the API is not offered by this server.";
    Fault::new(StatusCode::NOT_IMPLEMENTED, sentence)
}
