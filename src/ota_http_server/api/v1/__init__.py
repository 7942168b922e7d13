"""The admin API `/api/v1`: one file per noun, described by the schemas that it really uses."""
