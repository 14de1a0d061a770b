//! An actix-web service of two routes: one activates an order, the other tells what became of it.
//!
//! ```sh
//! cargo run -p finale-examples --bin web
//! curl -X POST localhost:8080/orders -H 'content-type: application/json' -d '{"item": "kettle", "euros": 20}'
//! curl localhost:8080/orders/<the id it answered>
//! ```

#![expect(clippy::print_stdout, reason = "an example says what it does")]

mod service;

use actix_web::{App, HttpServer, web};

use crate::service::Shop;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Orders outlive the service: `orders.db` holds them, and a service that is started again goes on with them.
    let shop = web::Data::new(Shop::open(Some("orders.db"))?);
    println!("listening on http://localhost:8080");
    let serving = shop.clone();
    let server = HttpServer::new(move || App::new().app_data(serving.clone()).configure(service::routes));
    server.bind(("127.0.0.1", 8080))?.run().await?;
    // Handlers at work get five seconds; what is not done then goes on with the next start.
    shop.runtime.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}
