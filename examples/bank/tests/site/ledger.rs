//! Money under pressure.

use bank::ledger::{Order, TransferError, sortable};
use bank::money::Cents;
use bank::people::{ALICE, BOB};
use donjon_core::account::AccountStore;
use donjon_core::clock::UnixTime;
use donjon_db::PageNumber;

use crate::client::Branch;

async fn order(branch: &Branch, amount: i64) -> Order {
    let id = async |name| branch.bank.accounts.by_username(name).await.unwrap().unwrap().id;
    Order {
        sender: id(ALICE.username).await,
        recipient: id(BOB.username).await,
        amount: Cents(amount),
        memo: String::new(),
        at: UnixTime::from_seconds(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_at_once_cannot_overdraw() {
    let branch = Branch::open().await;
    let order = order(&branch, 30_000).await;
    let transfers: Vec<_> = (0..8)
        .map(|_| {
            let (ledger, order) = (branch.bank.ledger.clone(), order.clone());
            tokio::spawn(async move { ledger.transfer(&order).await })
        })
        .collect();
    let mut done = 0;
    for transfer in transfers {
        match transfer.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) => assert!(matches!(error, TransferError::Overdrawn), "{error}"),
        }
    }
    assert_eq!(done, 3);
    assert_eq!(branch.bank.ledger.balance(order.sender).await.unwrap(), Cents(10_000));
    assert_eq!(branch.bank.ledger.balance(order.recipient).await.unwrap(), Cents(190_000));
    let newest = sortable().order_by("-date").unwrap();
    let page = branch.bank.ledger.transfers(order.sender, &newest, PageNumber::FIRST);
    assert_eq!(page.await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn a_transfer_to_nowhere_changes_nothing() {
    let branch = Branch::open().await;
    let order = Order { recipient: 999, ..order(&branch, 100).await };
    let refused = branch.bank.ledger.transfer(&order).await;
    assert!(matches!(refused, Err(TransferError::NoAccount)));
    assert_eq!(branch.bank.ledger.balance(order.sender).await.unwrap(), Cents(100_000));
}

#[tokio::test]
async fn a_second_start_keeps_the_money() {
    let branch = Branch::open().await;
    let order = order(&branch, 100).await;
    branch.bank.ledger.transfer(&order).await.unwrap();
    let people =
        bank::people::settle(&branch.bank.accounts, &branch.bank.ledger, &branch.bank.passwords);
    people.await.unwrap();
    assert_eq!(branch.bank.ledger.balance(order.sender).await.unwrap(), Cents(99_900));
}
