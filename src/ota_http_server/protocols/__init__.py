"""One file a dialect: pure translation from a Request through an operation to a Reply."""
