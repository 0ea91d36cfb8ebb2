//! Every page of the bank, as a customer uses it.

use bank::people::{ALICE, Person};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::driver::{Outcome, Visitor, visit};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_uses_every_page() -> Outcome {
    visit(async |visitor| {
        home(&visitor).await?;
        log_in(&visitor).await?;
        transfer(&visitor).await?;
        form(&visitor).await?;
        ajax(&visitor).await?;
        upload(&visitor).await?;
        reports(&visitor).await?;
        errors(&visitor).await?;
        log_out(&visitor).await?;
        assert_eq!(visitor.violations().await?, [""; 0]);
        Ok(())
    })
    .await
}

async fn home(visitor: &Visitor) -> Outcome {
    visitor.page("/").await?;
    visitor.see("h1", "can’t be").await?;
    visitor.see("table", ALICE.password).await
}

async fn log_in(visitor: &Visitor) -> Outcome {
    visitor.page("/account/").await?;
    visitor.arrive("/accounts/login/?next=/account/").await?;
    visitor.log_in(&Person { password: "wrong", ..ALICE }).await?;
    visitor.see("[role=alert]", "correct username and password").await?;
    assert_eq!(visitor.property("#id_username", "value").await?, "alice");
    visitor.log_in(&ALICE).await?;
    visitor.arrive("/account/").await?;
    visitor.see("#balance", "€1,000.00").await
}

async fn transfer(visitor: &Visitor) -> Outcome {
    visitor.page("/transfer/").await?;
    visitor.fill("#id_to", "nobody").await?;
    visitor.fill("#id_amount", "ten").await?;
    visitor.click("main button[type=submit]").await?;
    visitor.see("#id_to_error", "Nobody of this name").await?;
    visitor.see("#id_amount_error", "Enter an amount").await?;

    visitor.fill("#id_to", "bob").await?;
    visitor.fill("#id_amount", "1000.01").await?;
    visitor.click("main button[type=submit]").await?;
    visitor.see("#id_amount_error", "more than you have").await?;

    visitor.fill("#id_amount", "12.50").await?;
    visitor.fill("#id_memo", "<b>lunch</b>").await?;
    visitor.click("main button[type=submit]").await?;
    visitor.arrive("/account/").await?;
    visitor.see("[role=status]", "You sent €12.50 to bob.").await?;
    visitor.see("#balance", "€987.50").await?;
    visitor.see("tbody tr", "<b>lunch</b>").await?;

    visitor.page("/account/").await?;
    visitor.see("#balance", "€987.50").await?;
    assert_eq!(visitor.texts("[role=status]").await?, [""; 0], "the notice is shown once");
    Ok(())
}

async fn form(visitor: &Visitor) -> Outcome {
    visitor.page("/form/").await?;
    visitor.fill("#id_email", "ann@nowhere").await?;
    visitor.click("main button[type=submit]").await?;
    visitor.see("#id_name_error", "This field is required.").await?;
    visitor.see("#id_email_error", "Enter a valid email address.").await?;
    assert_eq!(visitor.property("#id_email", "value").await?, "ann@nowhere");

    visitor.fill("#id_name", "Ann <script>alert(1)</script>").await?;
    visitor.fill("#id_email", "ann@bank.example").await?;
    visitor.click("main button[type=submit]").await?;
    visitor.see("[role=status]", "Thank you, Ann <script>alert(1)</script>.").await?;
    visitor.page("/form/").await?;
    visitor.see("h1", "The form").await?;
    assert_eq!(visitor.texts("[role=status]").await?, [""; 0], "the thanks are shown once");
    Ok(())
}

async fn ajax(visitor: &Visitor) -> Outcome {
    visitor.page("/ajax/").await?;
    visitor.see("#nothing", "Nothing yet.").await?;
    for item in ["milk", "<i>bread</i>"] {
        visitor.fill("#id_item", item).await?;
        visitor.click("#add-item button").await?;
        visitor.see("#items li", item).await?;
    }
    visitor.page("/ajax/").await?;
    visitor.see("#items li", "<i>bread</i>").await?;
    assert_eq!(visitor.texts("#items li").await?, ["milk", "<i>bread</i>"]);

    visitor.forget_cookie("csrftoken").await?;
    visitor.fill("#id_item", "eggs").await?;
    visitor.click("#add-item button").await?;
    visitor.see("#problem", "CSRF cookie not set.").await?;
    assert_eq!(visitor.texts("#items li").await?.len(), 2);
    Ok(())
}

async fn upload(visitor: &Visitor) -> Outcome {
    let folder = TempDir::new()?;
    let content = vec![7; 3 * 1024 * 1024 + 1];
    let path = folder.path().join("a report & more.bin");
    std::fs::write(&path, &content)?;
    visitor.page("/upload/").await?;
    visitor.choose("#id_file", &path.display().to_string()).await?;
    visitor.click("main button[type=submit]").await?;
    visitor.see(".facts", "a report & more.bin").await?;
    visitor.see(".facts", "3145729 bytes").await?;
    let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    visitor.see(".facts", &hash).await
}

async fn reports(visitor: &Visitor) -> Outcome {
    visitor.page("/security/reports/").await?;
    visitor.see("h1", "What the policy forbade").await
}

async fn errors(visitor: &Visitor) -> Outcome {
    visitor.page("/nowhere/").await?;
    visitor.see("h1", "No such page.").await?;
    visitor.page("/accounts/logout/").await?;
    visitor.see("h1", "Not like this.").await?;
    visitor.page("/attacks/").await?;
    visitor.see(".empty", "No attacks yet.").await
}

async fn log_out(visitor: &Visitor) -> Outcome {
    visitor.page("/account/").await?;
    visitor.click(".visitor button").await?;
    visitor.see(".visitor", "Log in").await?;
    visitor.page("/account/").await?;
    visitor.arrive("/accounts/login/?next=/account/").await?;
    visitor.log_in(&ALICE).await?;
    visitor.arrive("/account/").await?;
    visitor.see("#balance", "€987.50").await
}
