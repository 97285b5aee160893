// Serves the benchmarks' first two queries with Apollo Server, a hand-written schema and
// hand-written resolvers.
import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { startStandaloneServer } from '@apollo/server/standalone';
import DataLoader from 'dataloader';
import { GraphQLError } from 'graphql';
import { Pool } from 'undici';

const upstream = process.env.UPSTREAM ?? 'http://127.0.0.1:9090';
const port = Number(process.env.PORT ?? 4000);

const typeDefs = `#graphql
  type Query {
    teams: [Team!]!
    contacts(workspaceId: ID!, subdomain: String!): [Contact!]!
  }

  type Team {
    id: ID!
    name: String
    workspaces: [Workspace!]!
  }

  type Workspace {
    id: ID!
    name: String
    subdomain: String!
    contacts: [Contact!]!
  }

  type Contact {
    id: ID!
    emailAddress: String
    firstName: String
    lastName: String
  }
`;

const resolvers = {
  Query: {
    teams: (_, __, { api }) => api.teams(),
    contacts: (_, { workspaceId, subdomain }, { api }) => api.contacts.load({ id: workspaceId, subdomain }),
  },
  Team: {
    workspaces: (team, _, { api }) => api.workspaces.load(team.id),
  },
  Workspace: {
    contacts: (workspace, _, { api }) => api.contacts.load(workspace),
  },
  Contact: {
    emailAddress: (contact) => contact.email_address,
    firstName: (contact) => contact.first_name,
    lastName: (contact) => contact.last_name,
  },
};

// The pool keeps connections alive, as many as were in use at a time.
const pool = new Pool(upstream);

// The API has no batched calls: the calls of a batch run in parallel. The loader makes each
// call once per request.
const loader = (fetch, options) =>
  new DataLoader((keys) => Promise.all(keys.map((key) => fetch(key).catch((error) => error))), options);

class Api {
  #headers;

  constructor(authorization) {
    this.#headers = authorization ? { authorization } : {};
  }

  workspaces = loader((teamId) => this.#get('accounts', `/teams/${encodeURIComponent(teamId)}/workspaces`));

  contacts = loader(
    ({ id, subdomain }) => this.#get(subdomain, `/workspaces/${encodeURIComponent(id)}/contacts`),
    { cacheKeyFn: ({ id, subdomain }) => `${subdomain}/${id}` },
  );

  teams() {
    return this.#get('accounts', '/teams');
  }

  async #get(subdomain, path) {
    const { statusCode, body } = await pool.request({
      method: 'GET',
      path: `/${encodeURIComponent(subdomain)}/api/v2${path}`,
      headers: this.#headers,
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new GraphQLError(`upstream status ${statusCode}`);
    }
    return body.json();
  }
}

const server = new ApolloServer({
  typeDefs,
  resolvers,
  plugins: [
    ApolloServerPluginCacheControlDisabled(),
    ApolloServerPluginLandingPageDisabled(),
    ApolloServerPluginUsageReportingDisabled(),
  ],
});

const { url } = await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port },
  context: async ({ req }) => ({ api: new Api(req.headers.authorization) }),
});
console.log(`listening on ${url}graphql`);
