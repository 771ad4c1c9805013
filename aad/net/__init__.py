"""What every client of a network service needs: addresses of host names, and when to try a failed server again."""
