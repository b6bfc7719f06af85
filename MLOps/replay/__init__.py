"""What an agent remembers and how it is drawn again: n-step returns, a sum tree, prioritised and uniform replay."""
