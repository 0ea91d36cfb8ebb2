//! Django's tables on MariaDB and MySQL. Engine and collation are the database's own, as with Django.

/// Every table of this database, by `name`.
pub(super) const TABLES: &str = "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables WHERE table_schema = DATABASE()";

/// Waits until nobody else migrates this database: 1 in `name` says so. Holds until the connection
/// ends.
pub(crate) const LOCK: &str =
    "SELECT CAST(GET_LOCK(CONCAT('donjon:', MD5(DATABASE())), 30) AS CHAR) AS name";

/// The table that is there while a migration goes on.
pub(crate) const MARK: &str = "donjon_migrating";

/// Notes that a migration has begun.
pub(crate) const BEGIN: &str =
    "CREATE TABLE IF NOT EXISTS `donjon_migrating` (`id` integer NOT NULL)";

/// Notes that it has ended.
pub(crate) const END: &str = "DROP TABLE IF EXISTS `donjon_migrating`";

pub(super) const MIGRATIONS: &str = r"
CREATE TABLE IF NOT EXISTS `django_migrations` (`id` bigint NOT NULL AUTO_INCREMENT, `app` varchar(255) NOT NULL, `name` varchar(255) NOT NULL, `applied` datetime(6) NOT NULL, PRIMARY KEY (`id`));
";

pub(super) const CONTENTTYPES: &str = r"
CREATE TABLE IF NOT EXISTS `django_content_type` (`id` integer NOT NULL AUTO_INCREMENT, `app_label` varchar(100) NOT NULL, `model` varchar(100) NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `django_content_type_app_label_model_76bd3d3b_uniq` (`app_label`,`model`));
";

pub(super) const AUTH: &str = r"
CREATE TABLE IF NOT EXISTS `auth_permission` (`id` integer NOT NULL AUTO_INCREMENT, `name` varchar(255) NOT NULL, `content_type_id` integer NOT NULL, `codename` varchar(100) NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `auth_permission_content_type_id_codename_01ab375a_uniq` (`content_type_id`,`codename`), CONSTRAINT `auth_permission_content_type_id_2f476e4b_fk_django_co` FOREIGN KEY (`content_type_id`) REFERENCES `django_content_type` (`id`));
CREATE TABLE IF NOT EXISTS `auth_group` (`id` integer NOT NULL AUTO_INCREMENT, `name` varchar(150) NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `name` (`name`));
CREATE TABLE IF NOT EXISTS `auth_user` (`id` integer NOT NULL AUTO_INCREMENT, `password` varchar(128) NOT NULL, `last_login` datetime(6) NULL, `is_superuser` bool NOT NULL, `username` varchar(150) NOT NULL, `first_name` varchar(150) NOT NULL, `last_name` varchar(150) NOT NULL, `email` varchar(254) NOT NULL, `is_staff` bool NOT NULL, `is_active` bool NOT NULL, `date_joined` datetime(6) NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `username` (`username`));
CREATE TABLE IF NOT EXISTS `auth_group_permissions` (`id` bigint NOT NULL AUTO_INCREMENT, `group_id` integer NOT NULL, `permission_id` integer NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `auth_group_permissions_group_id_permission_id_0cd325b0_uniq` (`group_id`,`permission_id`), KEY `auth_group_permissio_permission_id_84c5c92e_fk_auth_perm` (`permission_id`), CONSTRAINT `auth_group_permissio_permission_id_84c5c92e_fk_auth_perm` FOREIGN KEY (`permission_id`) REFERENCES `auth_permission` (`id`), CONSTRAINT `auth_group_permissions_group_id_b120cbf9_fk_auth_group_id` FOREIGN KEY (`group_id`) REFERENCES `auth_group` (`id`));
CREATE TABLE IF NOT EXISTS `auth_user_groups` (`id` bigint NOT NULL AUTO_INCREMENT, `user_id` integer NOT NULL, `group_id` integer NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `auth_user_groups_user_id_group_id_94350c0c_uniq` (`user_id`,`group_id`), KEY `auth_user_groups_group_id_97559544_fk_auth_group_id` (`group_id`), CONSTRAINT `auth_user_groups_group_id_97559544_fk_auth_group_id` FOREIGN KEY (`group_id`) REFERENCES `auth_group` (`id`), CONSTRAINT `auth_user_groups_user_id_6a12ed8b_fk_auth_user_id` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`));
CREATE TABLE IF NOT EXISTS `auth_user_user_permissions` (`id` bigint NOT NULL AUTO_INCREMENT, `user_id` integer NOT NULL, `permission_id` integer NOT NULL, PRIMARY KEY (`id`), UNIQUE KEY `auth_user_user_permissions_user_id_permission_id_14a6b632_uniq` (`user_id`,`permission_id`), KEY `auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm` (`permission_id`), CONSTRAINT `auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm` FOREIGN KEY (`permission_id`) REFERENCES `auth_permission` (`id`), CONSTRAINT `auth_user_user_permissions_user_id_a95ead1b_fk_auth_user_id` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`));
";

pub(super) const SESSIONS: &str = r"
CREATE TABLE IF NOT EXISTS `django_session` (`session_key` varchar(40) NOT NULL, `session_data` longtext NOT NULL, `expire_date` datetime(6) NOT NULL, PRIMARY KEY (`session_key`), KEY `django_session_expire_date_a5c62663` (`expire_date`));
";
