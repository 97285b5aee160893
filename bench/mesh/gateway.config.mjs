// All else is at its defaults: no telemetry, and neither caches nor
// deduplication of what other requests have asked for.
import { defineConfig } from '@graphql-hive/gateway';

export const gatewayConfig = defineConfig({
  graphiql: false,
  landingPage: false,
});
