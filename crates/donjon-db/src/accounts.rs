//! Users in Django's table `auth_user`.

use std::sync::Arc;

use donjon_core::account::{
    AccountStore, EncodedPassword, NewUser, Permissions, User, UserCreation, UserSource,
};
use donjon_core::clock::UnixTime;
use donjon_core::session::StoreError;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{Condition, FromQueryResult, NotSet, Set, TryIntoModel, Value};

use crate::database::insert_new;
use crate::entity::user::{ActiveModel, Column, Entity, Model};
use crate::entity::{content_type, group_permission, permission, user_group, user_permission};
use crate::error::store_error;
use crate::time::Moment;
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

    async fn one(&self, is: Condition) -> Result<Option<Arc<User>>, StoreError> {
        let query = || Entity::find().filter(is.clone()).one(&self.0.reader);
        let row = self.0.read(query).await?;
        row.map(|row| user(row).map(Arc::new)).transpose()
    }

    async fn set(&self, id: i64, column: Column, value: Value) -> Result<(), StoreError> {
        let update = Entity::update_many().col_expr(column, value.into()).filter(Column::Id.eq(id));
        let write = || update.clone().exec(&self.0.writer);
        match self.0.write(write).await?.rows_affected {
            0 => Err(StoreError::new(format!("no user has the id {id}"))),
            _ => Ok(()),
        }
    }

    fn moment(&self, time: UnixTime) -> Moment {
        time::to_column(self.0.backend(), time)
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

pub(crate) fn user(row: Model) -> Result<User, StoreError> {
    let id = row.id;
    let date = |column, moment: &Moment| {
        let wrong = || StoreError::new(format!("the {column} of the user {id} is no date"));
        time::from_column(moment).ok_or_else(wrong)
    };
    Ok(User {
        id: id.into(),
        date_joined: date("date_joined", &row.date_joined)?,
        last_login: row.last_login.map(|moment| date("last_login", &moment)).transpose()?,
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
fn row(new: &NewUser, date_joined: Moment) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        password: Set(new.password.expose().into()),
        last_login: NotSet,
        is_superuser: Set(false),
        username: Set(new.username.clone()),
        first_name: Set(String::new()),
        last_name: Set(String::new()),
        email: Set(new.email.clone()),
        is_staff: Set(false),
        is_active: Set(true),
        date_joined: Set(date_joined),
    }
}

/// The user whose row that is now, as it would be read.
fn created(id: i32, mut row: ActiveModel) -> Result<User, StoreError> {
    row.id = Set(id);
    row.last_login = Set(None);
    user(row.try_into_model().map_err(store_error)?)
}

impl AccountStore for DjangoAccounts {
    async fn by_id(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        if let Some(row) = self.0.direct().and_then(|direct| direct.user(id)) {
            return row.map(|row| user(row).map(Arc::new)).transpose();
        }
        self.one(Condition::all().add(Column::Id.eq(id))).await
    }

    fn source(&self) -> Option<UserSource> {
        Some(self.0.users())
    }

    async fn by_username(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        if !self.0.holds(username) {
            return Ok(None);
        }
        let found = self.one(Condition::all().add(Column::Username.eq(username))).await?;
        // MariaDB's collations find `Alice` by `alice`.
        Ok(found.filter(|user| user.username == username))
    }

    async fn create(&self, new: NewUser) -> Result<UserCreation, StoreError> {
        let row = row(&new, self.moment(new.date_joined));
        let insert = || insert_new(&self.0, row.clone());
        match self.0.write(insert).await? {
            Some(id) => Ok(UserCreation::Created(Arc::new(created(id, row)?))),
            None => Ok(UserCreation::NameTaken),
        }
    }

    async fn set_password(&self, id: i64, password: &EncodedPassword) -> Result<(), StoreError> {
        self.set(id, Column::Password, password.expose().into()).await
    }

    async fn set_last_login(&self, id: i64, at: UnixTime) -> Result<(), StoreError> {
        self.set(id, Column::LastLogin, self.moment(at).into()).await
    }

    async fn permissions(&self, id: i64) -> Result<Permissions, StoreError> {
        let granted = granted(id);
        let rows = self.0.read(|| self.0.reader.query_all(&granted)).await?;
        let name = |row| {
            let Granted { app_label, codename } = Granted::from_query_result(row, "")?;
            Ok(format!("{app_label}.{codename}"))
        };
        rows.iter().map(name).collect::<Result<_, _>>().map_err(store_error)
    }
}
