//! The shop's orders. They live in memory, and end with it; a real shop keeps them in its database, and beside them the ids of
//! the events that it has worked on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::jangbu::{Confirmed, VirtualAccount};

#[derive(Debug)]
pub struct Product {
    pub name: &'static str,
    /// In won.
    pub price: i64,
}

pub const PRODUCTS: &[Product] = &[
    Product { name: "도자기 접시", price: 32_000 },
    Product { name: "대나무 도마", price: 27_500 },
    Product { name: "린넨 앞치마", price: 41_000 },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Placed,
    WaitingForDeposit,
    Paid,
    Failed,
    Expired,
    PartlyRefunded,
    Canceled,
}

#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub product: &'static Product,
    pub state: State,
    /// What is left of the money after refunds, in won.
    pub left: i64,
    pub account: Option<VirtualAccount>,
    pub is_shipped: bool,
}

/// What an event says of an order.
#[derive(Debug)]
pub struct Told {
    pub order_id: String,
    pub state: State,
    /// In won.
    pub left: Option<i64>,
}

#[derive(Default)]
pub struct Orders(Mutex<Books>);

#[derive(Default)]
struct Books {
    orders: BTreeMap<String, Order>,
    /// `webhook-id` of each event that was worked on. Jangbu tells for three days: older ones may go.
    seen: BTreeSet<String>,
}

impl Orders {
    pub fn place(&self, product: &'static Product) -> Order {
        let order = Order {
            id: format!("order-{}", Uuid::new_v4()),
            product,
            state: State::Placed,
            left: product.price,
            account: None,
            is_shipped: false,
        };
        self.hold().orders.insert(order.id.clone(), order.clone());
        order
    }

    pub fn get(&self, id: &str) -> Option<Order> {
        self.hold().orders.get(id).cloned()
    }

    /// What the confirm has answered. An event may have been here first, and knows more.
    pub fn confirmed(&self, id: &str, confirmed: Confirmed) {
        let mut books = self.hold();
        let Some(order) = books.orders.get_mut(id) else { return };
        order.account = confirmed.virtual_account;
        if matches!(order.state, State::Placed | State::Failed | State::Expired) {
            order.state = match confirmed.status.as_str() {
                "DONE" => State::Paid,
                "WAITING_FOR_DEPOSIT" => State::WaitingForDeposit,
                _ => order.state,
            };
        }
    }

    /// What an event tells; true when the goods leave. The id of the event and what it changes are written together, under one
    /// lock as in one transaction: whatever is told twice is done once.
    pub fn hear(&self, event_id: &str, told: &Told) -> bool {
        let mut books = self.hold();
        if !books.seen.insert(event_id.to_owned()) {
            return false;
        }
        let Some(order) = books.orders.get_mut(&told.order_id) else { return false };
        let is_paid = matches!(order.state, State::Paid | State::PartlyRefunded | State::Canceled);
        // It speaks of an earlier attempt.
        if is_paid && matches!(told.state, State::Failed | State::Expired) {
            return false;
        }
        order.state = told.state;
        order.left = told.left.unwrap_or(order.left);
        // A deposit that the bank took back may come again: another event, and nothing to ship.
        let leaves = told.state == State::Paid && !order.is_shipped;
        order.is_shipped |= leaves;
        leaves
    }

    /// A request that panicked must not close the shop.
    fn hold(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered() -> (Orders, String) {
        let orders = Orders::default();
        let id = orders.place(&PRODUCTS[0]).id;
        (orders, id)
    }

    fn told(id: &str, state: State) -> Told {
        Told { order_id: id.to_owned(), state, left: None }
    }

    fn answer(status: &str) -> Confirmed {
        Confirmed { status: status.to_owned(), virtual_account: None }
    }

    #[test]
    fn the_goods_leave_once() {
        let (orders, id) = ordered();
        orders.confirmed(&id, answer("DONE"));
        assert!(!orders.get(&id).unwrap().is_shipped, "the event ships, not the buyer's browser");
        assert!(orders.hear("evt_1", &told(&id, State::Paid)));
        assert!(!orders.hear("evt_1", &told(&id, State::Paid)), "told again");
        assert!(!orders.hear("evt_2", &told(&id, State::WaitingForDeposit)), "the bank took it back");
        assert!(!orders.hear("evt_3", &told(&id, State::Paid)), "and it came again");
        assert!(orders.get(&id).unwrap().is_shipped);
    }

    #[test]
    fn an_answer_that_comes_late_undoes_no_event() {
        let (orders, id) = ordered();
        orders.hear("evt_1", &told(&id, State::Paid));
        orders.hear("evt_2", &told(&id, State::Canceled));
        orders.confirmed(&id, answer("DONE"));
        assert_eq!(orders.get(&id).unwrap().state, State::Canceled);
    }

    #[test]
    fn an_attempt_that_failed_does_not_undo_the_one_that_was_paid() {
        let (orders, id) = ordered();
        orders.hear("evt_1", &told(&id, State::Failed));
        orders.confirmed(&id, answer("DONE"));
        orders.hear("evt_2", &told(&id, State::Expired));
        assert_eq!(orders.get(&id).unwrap().state, State::Paid);
    }

    #[test]
    fn orders_of_another_shop_are_none_of_ours() {
        let (orders, id) = ordered();
        assert!(!orders.hear("evt_1", &told("somebody-elses", State::Paid)));
        assert_eq!(orders.get(&id).unwrap().state, State::Placed);
    }
}
