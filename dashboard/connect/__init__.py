"""The first hour with a CallKaro account: settings made, addresses to paste, and the wait for the first report."""
