//! The routes, apart from the server: a test calls them without one.

use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use finale::journal::SqliteJournal;
use finale::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What somebody orders.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    item: String,
    euros: u32,
    /// How long the bank takes: to see what a signal does meanwhile.
    #[serde(default)]
    bank_seconds: u64,
}

/// The workflow and what runs it; every worker of the server has the same.
pub(crate) struct Shop {
    pub(crate) runtime: Runtime,
    order: Workflow,
}

impl Shop {
    /// Opens the shop; without a journal its orders are gone with the process.
    pub(crate) fn open(journal: Option<&str>) -> Result<Self, Box<dyn std::error::Error>> {
        let order = Workflow::typed("order");
        let reserved = order.task("reserve", reserve_stock);
        order.task("charge", charge_card).after(reserved).retry(3, Duration::from_secs(1));
        let order = order.build()?;
        let builder = Runtime::builder().workflow(&order);
        let runtime = match journal {
            Some(file) => builder.journal(SqliteJournal::open(file)?).start()?,
            None => builder.shards(Shards::Current).start()?,
        };
        Ok(Self { runtime, order })
    }
}

async fn reserve_stock(_context: TaskContext, order: Order) -> Result<String, TaskError> {
    Ok(format!("one {} is put aside", order.item))
}

async fn charge_card(context: TaskContext, order: Order) -> Result<String, TaskError> {
    if order.euros > 1_000 {
        return Err(TaskError::new("card declined").permanent());
    }
    actix_web::rt::time::sleep(Duration::from_secs(order.bank_seconds)).await;
    // The bank charges once, however often it is asked with the same key.
    Ok(format!("{} euros paid, reference {}", order.euros, context.key()))
}

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(place).service(look);
}

/// Answers as soon as it is certain that the order will be seen to its end.
#[post("/orders")]
async fn place(shop: web::Data<Shop>, order: web::Json<Order>) -> Result<HttpResponse, finale::Error> {
    let execution = shop.runtime.activate(&shop.order, order.into_inner()).by("the web").await?;
    Ok(HttpResponse::Accepted().json(json!({"id": execution.id()})))
}

/// What is known of an order: its status, its tasks, and how it ended.
#[get("/orders/{id}")]
async fn look(shop: web::Data<Shop>, id: web::Path<ExecutionId>) -> Result<HttpResponse, finale::Error> {
    let execution = shop.runtime.execution(id.into_inner()).await?;
    Ok(HttpResponse::Ok().json(execution.snapshot().await?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use actix_web::http::StatusCode;
    use actix_web::{App, test};
    use serde_json::Value;

    use super::*;

    async fn ordered(euros: u32) -> Value {
        let shop = web::Data::new(Shop::open(None).unwrap());
        let app = test::init_service(App::new().app_data(shop.clone()).configure(routes)).await;
        let order = Order { item: "kettle".into(), euros, bank_seconds: 0 };
        let request = test::TestRequest::post().uri("/orders").set_json(order).to_request();
        let placed: Value = test::call_and_read_body_json(&app, request).await;
        let id = placed["id"].as_str().unwrap().to_owned();
        let _ = shop.runtime.execution(id.parse().unwrap()).await.unwrap().outcome().await;
        let request = test::TestRequest::get().uri(&format!("/orders/{id}")).to_request();
        test::call_and_read_body_json(&app, request).await
    }

    #[actix_web::test]
    async fn an_order_that_can_be_paid_is_completed() {
        let order = ordered(20).await;
        assert_eq!(order["status"], "completed", "{order}");
    }

    #[actix_web::test]
    async fn an_order_that_cannot_be_paid_says_why() {
        let order = ordered(2_000).await;
        assert_eq!(order["status"], "failed", "{order}");
        assert!(order["error"].to_string().contains("card declined"), "{order}");
    }

    #[actix_web::test]
    async fn an_order_that_nobody_placed_is_not_found() {
        let shop = web::Data::new(Shop::open(None).unwrap());
        let app = test::init_service(App::new().app_data(shop.clone()).configure(routes)).await;
        let uri = format!("/orders/{}", shop.runtime.new_execution_id());
        let answer = test::call_service(&app, test::TestRequest::get().uri(&uri).to_request()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}
