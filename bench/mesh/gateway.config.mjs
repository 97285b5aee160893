// Everything else has its default: no telemetry, no caches, and no deduplication across
// requests.
import { defineConfig } from '@graphql-hive/gateway';

export const gatewayConfig = defineConfig({
  graphiql: false,
  landingPage: false,
});
