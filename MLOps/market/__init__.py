"""Market data and its arithmetic: bars, calendars, indicators, turbulence, splits, accounting."""
