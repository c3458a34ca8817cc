// Types of what Vite makes of imports.

/// <reference types="vite/client" />
