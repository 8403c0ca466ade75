//! OpenAPI schemas that cannot be derived.

use std::borrow::Cow;

use russet_core::Status;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat,
    SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{
    Batched, DependsOn, ItemResult, Json, OneOrMany, OneOrResults, Problem, ProblemDetails,
    Results, Time, WindowView,
};

type Schemas = Vec<(String, RefOr<Schema>)>;

fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

fn collect<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// Where a task is in its life.
pub fn status_schema() -> Object {
    let all = Status::ALL.map(Status::as_str);
    text().enum_values(Some(all)).build()
}

/// What becomes of a task when a dependency cannot be satisfied, where `default` is meant when it
/// is absent.
fn policy(default: Option<&str>) -> Object {
    let known = ["cancel", "dead", "run"].map(|name| Some(name.to_owned()));
    let or_null = known.into_iter().chain([None]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(or_null))
        .default(default.map(Into::into))
        .build()
}

pub(super) fn if_unsatisfied() -> Object {
    policy(Some("cancel"))
}

pub(super) fn if_unsatisfied_of_defaults() -> Object {
    policy(None)
}

fn list_of<T: ToSchema>(key: &str) -> Object {
    let items = ArrayBuilder::new().items(reference::<T>());
    let list = ObjectBuilder::new().property(key, items).required(key);
    list.build()
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemDetails::schema()
    }
}

impl ToSchema for Problem {}

impl PartialSchema for Json {
    fn schema() -> RefOr<Schema> {
        serde_json::Value::schema()
    }
}

impl ToSchema for Json {}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        text()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {}

impl PartialSchema for WindowView {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Integer))
            .item(text().enum_values(Some(["while_live"])))
            .into()
    }
}

impl ToSchema for WindowView {}

impl PartialSchema for DependsOn {
    fn schema() -> RefOr<Schema> {
        let ends = text().enum_values(Some(["success", "completion", "failure"]));
        let long = ObjectBuilder::new()
            .property("task", text())
            .property("on", ends)
            .required("task");
        OneOfBuilder::new().item(text()).item(long).into()
    }
}

impl ToSchema for DependsOn {}

impl<T: Batched + ToSchema> PartialSchema for OneOrMany<T> {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(reference::<T>())
            .item(list_of::<T>(T::KEY))
            .into()
    }
}

impl<T: Batched + ToSchema> ToSchema for OneOrMany<T> {
    fn name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Schemas) {
        collect::<T>(schemas);
    }
}

impl<T: ToSchema> PartialSchema for ItemResult<T> {
    fn schema() -> RefOr<Schema> {
        let error = ObjectBuilder::new()
            .property("error", reference::<Problem>())
            .required("error");
        OneOfBuilder::new()
            .item(reference::<T>())
            .item(error)
            .into()
    }
}

impl<T: ToSchema> ToSchema for ItemResult<T> {
    fn name() -> Cow<'static, str> {
        format!("ItemResult_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Schemas) {
        collect::<T>(schemas);
        collect::<Problem>(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Results<T> {
    fn schema() -> RefOr<Schema> {
        list_of::<ItemResult<T>>("results").into()
    }
}

impl<T: ToSchema> ToSchema for Results<T> {
    fn name() -> Cow<'static, str> {
        format!("Results_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Schemas) {
        collect::<ItemResult<T>>(schemas);
    }
}

impl<T: ToSchema> PartialSchema for OneOrResults<T> {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(reference::<T>())
            .item(reference::<Results<T>>())
            .into()
    }
}

impl<T: ToSchema> ToSchema for OneOrResults<T> {
    fn name() -> Cow<'static, str> {
        format!("OneOrResults_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Schemas) {
        collect::<T>(schemas);
        collect::<Results<T>>(schemas);
    }
}
