//! An actix-web service of two routes: one activates an order, the other tells what became of it.
//!
//! ```sh
//! cargo run -p finale-examples --bin web
//! curl -X POST localhost:8080/orders -H 'content-type: application/json' -d '{"item": "kettle", "euros": 20}'
//! curl localhost:8080/orders/<the id it answered>
//! ```
//!
//! SIGTERM and Ctrl-C end it in order: try it with `"bank_seconds": 3` in an order. It takes an address and a file for its
//! journal: `web 127.0.0.1:9000 /var/lib/orders.db`.

#![expect(clippy::print_stdout, reason = "an example says what it does")]

mod service;

use std::time::Duration;

use actix_web::{App, HttpServer, web};

use crate::service::Shop;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    // Orders outlive the service: the file holds them, and a service that is started again goes on with them.
    let file = arguments.next().unwrap_or_else(|| "orders.db".into());
    let shop = web::Data::new(Shop::open(Some(&file))?);
    let serving = shop.clone();
    let server = HttpServer::new(move || App::new().app_data(serving.clone()).configure(service::routes));
    // Requests get ten seconds of their own after a signal.
    let server = server.shutdown_timeout(10).bind(address)?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    // It ends when a signal comes, and the runtime is shut down after it, also if the server has failed.
    let served = server.run().await;
    // Handlers at work get five seconds; what is not done then goes on with the next start.
    let report = shop.runtime.shutdown(Duration::from_secs(5)).await;
    println!("stopped: {report}");
    Ok(served?)
}
