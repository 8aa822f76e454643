//! Takes tasks from the broker to functions and settles what they answer; the HTTP API on 8888.
