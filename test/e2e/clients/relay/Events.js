// The subscription of subscriptions.test.mjs. Only the compiler reads this file.
import { graphql } from "relay-runtime";

graphql`
  subscription EventsSubscription($workspaceId: ID!, $types: [EventType!]) {
    events(workspaceId: $workspaceId, types: $types) {
      id
      type
      subject {
        ... on Contact {
          id
          firstName
          emailAddress
        }
      }
    }
  }
`;
