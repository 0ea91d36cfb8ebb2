from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from mirror import views

urlpatterns = [
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("who/", views.who, name="who"),
    path("form/", views.form, name="form"),
    path("session/", views.session, name="session"),
    path("say/", views.say, name="say"),
    path("messages/", views.show_messages, name="messages"),
    path("desk/", views.Desk.as_view(), name="desk"),
    path("till/", views.till, name="till"),
]
