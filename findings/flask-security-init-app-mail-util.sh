#!/usr/bin/env bash
# Flask-Security takes the class that sends its mail as Security(mail_util_cls=...). Security.init_app also
# takes any keyword, but ignores this one without an error or a warning: the default class stays in use.
# "This can be used to override/initialize" in init_app lets you expect the opposite; the first mail shows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Flask-Security==5.9.2 Flask-SQLAlchemy==3.1.1 Flask==3.1.3
"$folder/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

from flask import Flask
from flask_security import MailUtil, Security, SQLAlchemyUserDatastore
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):
    pass


class User(db.Model, fsqla_v3.FsUserMixin):
    pass


class OwnMailUtil(MailUtil):
    pass


def used(at_once, later):
    app = Flask("app")
    app.config.update(
        SECRET_KEY="x", SECURITY_PASSWORD_SALT="x", SQLALCHEMY_DATABASE_URI="sqlite://",
        SECURITY_PASSWORD_HASH="pbkdf2_sha512",
    )
    db.init_app(app)
    security = Security(**at_once)
    security.init_app(app, SQLAlchemyUserDatastore(db, User, Role), **later)
    return type(security._mail_util).__name__


print("Flask-Security", version("Flask-Security"))
own = {"mail_util_cls": OwnMailUtil}
in_constructor, in_init_app = used(own, {}), used({}, own)
print("Security(mail_util_cls=OwnMailUtil)              ", in_constructor)
print("Security().init_app(..., mail_util_cls=OwnMailUtil)", in_init_app)
assert in_constructor == "OwnMailUtil", "the constructor ignores the class too"
assert in_init_app == "MailUtil", "init_app uses the class now"
PYTHON
