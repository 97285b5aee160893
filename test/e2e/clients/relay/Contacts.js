// Documents as in the components of an application. Only the compiler reads this file.
import { graphql } from "relay-runtime";

graphql`
  query ContactsQuery($workspace: ID!, $count: Int!) {
    workspace(id: $workspace) {
      name
      ...Contacts_workspace @arguments(count: $count)
    }
  }
`;

graphql`
  fragment Contacts_workspace on Workspace
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "ContactsPaginationQuery") {
    id
    contacts(first: $count, after: $cursor) @connection(key: "Contacts_contacts") {
      __id
      edges {
        node {
          id
          firstName
          emailAddress
          tags {
            name
          }
          customAttributes(keys: ["source"]) {
            key
            value
          }
        }
      }
    }
  }
`;

graphql`
  query ContactsOneQuery($id: ID!) {
    node(id: $id) {
      ...Contacts_one @alias(as: "contact")
    }
  }
`;

graphql`
  fragment Contacts_one on Contact @refetchable(queryName: "ContactsOneRefetchQuery") {
    id
    firstName
    updatedAt
    workspace {
      name
      team {
        name
      }
    }
    orders(first: 2) {
      nodes {
        orderNumber
        totalAmount {
          amount
          currency
        }
      }
    }
  }
`;

graphql`
  query ContactsPartlyQuery($workspace: ID!, $contact: ID!) {
    workspace(id: $workspace) {
      name
    }
    contact(id: $contact, workspaceId: $workspace) @catch(to: RESULT) {
      firstName
    }
  }
`;

graphql`
  mutation ContactsUpdateMutation($input: UpdateContactInput!) {
    updateContact(input: $input) {
      contact {
        id
        firstName
      }
      userErrors {
        field
        message
        code
      }
    }
  }
`;

graphql`
  mutation ContactsCreateMutation($input: CreateContactInput!, $connections: [ID!]!) {
    createContact(input: $input) {
      contact @appendNode(connections: $connections, edgeTypeName: "ContactEdge") {
        id
        firstName
        emailAddress
        tags {
          name
        }
        customAttributes(keys: ["source"]) {
          key
          value
        }
      }
    }
  }
`;

graphql`
  mutation ContactsDeleteMutation($input: DeleteContactInput!, $connections: [ID!]!) {
    deleteContact(input: $input) {
      deletedContactId @deleteEdge(connections: $connections) @deleteRecord
    }
  }
`;
