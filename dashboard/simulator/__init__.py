"""Made-up calls for a board to show: `simulate` sends them, `demo` brings a board as well."""
