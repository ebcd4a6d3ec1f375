"""The wire protocol of an org on Starlette: routes, sessions, replies. Rules of rows and queries lie below."""
