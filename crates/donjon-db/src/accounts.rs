//! Users in Django's table `auth_user`.

use std::sync::Arc;

use donjon_core::account::{
    AccountStore, EncodedPassword, NewUser, Permissions, User, UserCreation,
};
use donjon_core::clock::UnixTime;
use donjon_core::session::StoreError;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ActiveValue, Condition, FromQueryResult, NotSet, Select, Set, TryInsertResult, TryIntoModel,
};

use crate::entity::user::{ActiveModel, Column, Entity, Model};
use crate::entity::{content_type, group_permission, permission, user_group, user_permission};
use crate::error::store_error;
use crate::{Database, time};

/// An [`AccountStore`] that shares its rows with Django.
///
/// Names are compared to the letter; whoever stores a name has normalised it (Django: NFKC).
#[derive(Clone, Debug)]
pub struct DjangoAccounts(Database);

impl DjangoAccounts {
    /// The users of this database.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self(database.clone())
    }

    async fn one(&self, query: Select<Entity>) -> Result<Option<Arc<User>>, StoreError> {
        let row = query.one(&self.0.reader).await.map_err(store_error)?;
        row.map(|row| user(row).map(Arc::new)).transpose()
    }

    async fn set(&self, id: i64, column: Column, value: String) -> Result<(), StoreError> {
        let update = Entity::update_many().col_expr(column, value.into()).filter(Column::Id.eq(id));
        match update.exec(&self.0.writer).await.map_err(store_error)?.rows_affected {
            0 => Err(StoreError::new(format!("no user has the id {id}"))),
            _ => Ok(()),
        }
    }
}

/// A permission's two names.
#[derive(FromQueryResult)]
struct Granted {
    app_label: String,
    codename: String,
}

/// The permissions of this user, who must be active.
fn granted(id: i64) -> SelectStatement {
    use permission::Column::{Codename, ContentTypeId, Id};
    let type_id = (content_type::Entity, content_type::Column::Id);
    let has = Condition::any()
        .add(Expr::col((Entity, Column::IsSuperuser)).eq(true))
        .add(Expr::col((permission::Entity, Id)).in_subquery(own(id)))
        .add(Expr::col((permission::Entity, Id)).in_subquery(of_groups(id)));
    Query::select()
        .column((content_type::Entity, content_type::Column::AppLabel))
        .column((permission::Entity, Codename))
        .from(Entity)
        .inner_join(permission::Entity, has)
        .inner_join(
            content_type::Entity,
            Expr::col(type_id).equals((permission::Entity, ContentTypeId)),
        )
        .and_where(Expr::col((Entity, Column::Id)).eq(id))
        .and_where(Expr::col((Entity, Column::IsActive)).eq(true))
        .to_owned()
}

fn own(id: i64) -> SelectStatement {
    use user_permission::Column::{PermissionId, UserId};
    Query::select()
        .column(PermissionId)
        .from(user_permission::Entity)
        .and_where(UserId.eq(id))
        .to_owned()
}

fn of_groups(id: i64) -> SelectStatement {
    use group_permission::Column::{GroupId, PermissionId};
    let groups = Query::select()
        .column(user_group::Column::GroupId)
        .from(user_group::Entity)
        .and_where(user_group::Column::UserId.eq(id))
        .to_owned();
    Query::select()
        .column(PermissionId)
        .from(group_permission::Entity)
        .and_where(GroupId.in_subquery(groups))
        .to_owned()
}

fn user(row: Model) -> Result<User, StoreError> {
    let id = row.id;
    let date = |column, text: &str| {
        let wrong = || StoreError::new(format!("the {column} of the user {id} is no date"));
        time::from_column(text).ok_or_else(wrong)
    };
    Ok(User {
        id,
        date_joined: date("date_joined", &row.date_joined)?,
        last_login: row.last_login.map(|text| date("last_login", &text)).transpose()?,
        username: row.username,
        password: EncodedPassword::new(row.password),
        first_name: row.first_name,
        last_name: row.last_name,
        email: row.email,
        is_staff: row.is_staff,
        is_active: row.is_active,
        is_superuser: row.is_superuser,
    })
}

/// Django's defaults for what a new user does not say.
fn row(id: ActiveValue<i64>, new: &NewUser) -> ActiveModel {
    ActiveModel {
        id,
        password: Set(new.password.expose().into()),
        last_login: Set(None),
        is_superuser: Set(false),
        username: Set(new.username.clone()),
        first_name: Set(String::new()),
        last_name: Set(String::new()),
        email: Set(new.email.clone()),
        is_staff: Set(false),
        is_active: Set(true),
        date_joined: Set(time::to_column(new.date_joined)),
    }
}

impl AccountStore for DjangoAccounts {
    async fn by_id(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        self.one(Entity::find_by_id(id)).await
    }

    async fn by_username(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        self.one(Entity::find().filter(Column::Username.eq(username))).await
    }

    async fn create(&self, new: NewUser) -> Result<UserCreation, StoreError> {
        let insert =
            Entity::insert(row(NotSet, &new)).on_conflict_do_nothing_on([Column::Username]);
        let TryInsertResult::Inserted(result) =
            insert.exec(&self.0.writer).await.map_err(store_error)?
        else {
            return Ok(UserCreation::NameTaken);
        };
        let created =
            row(Set(result.last_insert_id), &new).try_into_model().map_err(store_error)?;
        Ok(UserCreation::Created(Arc::new(user(created)?)))
    }

    async fn set_password(&self, id: i64, password: &EncodedPassword) -> Result<(), StoreError> {
        self.set(id, Column::Password, password.expose().into()).await
    }

    async fn set_last_login(&self, id: i64, at: UnixTime) -> Result<(), StoreError> {
        self.set(id, Column::LastLogin, time::to_column(at)).await
    }

    async fn permissions(&self, id: i64) -> Result<Permissions, StoreError> {
        let rows = self.0.reader.query_all(&granted(id)).await.map_err(store_error)?;
        let name = |row| {
            let Granted { app_label, codename } = Granted::from_query_result(row, "")?;
            Ok(format!("{app_label}.{codename}"))
        };
        rows.iter().map(name).collect::<Result<_, _>>().map_err(store_error)
    }
}
