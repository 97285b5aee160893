// Documents and the code that uses their results, compiled strictly.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { graphql, useFragment, type FragmentType } from "./gql";
import type { UpdateContactInput } from "./gql/graphql";

declare function run<Result, Variables>(document: TypedDocumentNode<Result, Variables>, variables: Variables): Result;

const Name = graphql(`
  fragment Name on Contact {
    id
    firstName
    lastName
  }
`);

const Contacts = graphql(`
  query Contacts($workspace: ID!, $filter: ContactFilter, $sort: Sort, $after: String) {
    workspace(id: $workspace) {
      id
      name
      contacts(first: 50, after: $after, filter: $filter, sort: $sort) {
        nodes {
          ...Name
          createdAt
          customAttributes {
            key
            value
          }
          avatarImage
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

const Prices = graphql(`
  query Prices($workspace: ID!) {
    workspace(id: $workspace) {
      products(first: 5) {
        nodes {
          prices {
            nodes {
              amount {
                amount
                currency
              }
              paymentType
            }
          }
        }
      }
    }
  }
`);

const AnyNode = graphql(`
  query AnyNode($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Contact {
        ...Name
      }
      ... on Team {
        name
      }
    }
  }
`);

const Update = graphql(`
  mutation Update($input: UpdateContactInput!) {
    updateContact(input: $input) {
      contact {
        ...Name
      }
      userErrors {
        field
        message
        code
      }
    }
  }
`);

function fullName(contact: FragmentType<typeof Name>): string {
  const { firstName, lastName } = useFragment(Name, contact);
  return [firstName, lastName].filter((part) => part != null).join(" ");
}

export function names(workspace: string): string[] {
  const { workspace: found } = run(Contacts, { workspace, sort: { property: "UPDATED_AT", direction: "DESC" }, filter: { isActive: true } });
  // @ts-expect-error Every field may be null, since it may fail on its own.
  found.name;
  return found?.contacts?.nodes.map(fullName) ?? [];
}

export function years(workspace: string): number[] {
  const nodes = run(Contacts, { workspace }).workspace?.contacts?.nodes ?? [];
  return nodes.flatMap(({ createdAt }) => (createdAt == null ? [] : [new Date(createdAt).getUTCFullYear()]));
}

export function picture(workspace: string): string | undefined {
  const image = run(Contacts, { workspace }).workspace?.contacts?.nodes[0]?.avatarImage;
  // @ts-expect-error The type of free-form JSON must be checked first.
  image.url;
  return typeof image === "string" ? image : undefined;
}

export function amounts(workspace: string): string[] {
  const products = run(Prices, { workspace }).workspace?.products?.nodes ?? [];
  const prices = products.flatMap((product) => product.prices?.nodes ?? []);
  // @ts-expect-error Amounts of money are strings.
  prices[0]?.amount?.amount satisfies number | null | undefined;
  return prices.filter(({ paymentType }) => paymentType !== "UNKNOWN").flatMap(({ amount }) => (amount ? `${amount.amount} ${amount.currency}` : []));
}

export function title(id: string): string | null {
  const { node } = run(AnyNode, { id });
  switch (node?.__typename) {
    case "Contact":
      return fullName(node);
    case "Team":
      return node.name;
    default:
      return null;
  }
}

export function rename(id: string, firstName: string | null): string[] {
  const input: UpdateContactInput = { id, firstName };
  // @ts-expect-error The id of the changed record is required.
  run(Update, { input: { firstName } });
  return run(Update, { input }).updateContact?.userErrors.map(({ field, message, code }) => `${field}: ${message} (${code})`) ?? [];
}
