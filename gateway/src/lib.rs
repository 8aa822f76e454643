//! The MCP gateway of Dormouse: WebSocket and Streamable HTTP, both protocol eras.
