// Defines the part of the REST API that the benchmarks' first two queries need as a subgraph,
// and the relations between its types.
import { defineConfig } from '@graphql-mesh/compose-cli';
import { loadJSONSchemaSubgraph } from '@omnigraph/json-schema';

const string = { type: 'string' };
const list = (title, properties) => ({ type: 'array', items: { type: 'object', title, properties } });

export const composeConfig = defineConfig({
  subgraphs: [
    {
      sourceHandler: loadJSONSchemaSubgraph('api', {
        endpoint: '{env.UPSTREAM}', // set when the gateway runs
        operationHeaders: { Authorization: '{context.headers.authorization}' },
        operations: [
          {
            type: 'Query',
            field: 'teams',
            path: '/accounts/api/v2/teams',
            method: 'GET',
            responseSchema: list('Team', { id: string, name: string }),
          },
          {
            type: 'Query',
            // Not "workspaces": the gateway would take a field with that name and a single
            // argument for a lookup of workspaces by id.
            field: 'teamWorkspaces',
            path: '/accounts/api/v2/teams/{args.teamId}/workspaces',
            method: 'GET',
            responseSchema: list('Workspace', { id: string, name: string, subdomain: string }),
          },
          {
            type: 'Query',
            field: 'contacts',
            path: '/{args.subdomain}/api/v2/workspaces/{args.workspaceId}/contacts',
            method: 'GET',
            responseSchema: list('Contact', { id: string, email_address: string, first_name: string, last_name: string }),
          },
        ],
      }),
    },
  ],
  additionalTypeDefs: /* GraphQL */ `
    extend type Team {
      workspaces: [Workspace]
        @resolveTo(
          sourceName: "api"
          sourceTypeName: "Query"
          sourceFieldName: "teamWorkspaces"
          requiredSelectionSet: "{ id }"
          sourceArgs: { teamId: "{root.id}" }
        )
    }

    extend type Workspace {
      contacts: [Contact]
        @resolveTo(
          sourceName: "api"
          sourceTypeName: "Query"
          sourceFieldName: "contacts"
          requiredSelectionSet: "{ id subdomain }"
          sourceArgs: { workspaceId: "{root.id}", subdomain: "{root.subdomain}" }
        )
    }
  `,
});
