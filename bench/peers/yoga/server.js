// node server.js PORT [MONGO_URI DATABASE]: graphql-yoga, with subscriptions by graphql-ws.
import { createServer } from "node:http";
import { useServer } from "graphql-ws/use/ws";
import { createPubSub, createSchema, createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { resolvers, typeDefs } from "../beats.js";

const [port, mongoUri, database] = process.argv.slice(2);
const heard = createPubSub();
const own = await resolvers(mongoUri, database);
own.Mutation.publish = (_, { event }) => {
  heard.publish("alertEvents", JSON.parse(event));
  return true;
};
own.Subscription = { alertEvents: { subscribe: () => heard.subscribe("alertEvents"), resolve: (event) => event } };
const schema = createSchema({ typeDefs, resolvers: own });
const yoga = createYoga({ schema, logging: false, graphiql: false });
const server = createServer(yoga);

// As yoga's documentation has it.
useServer(
  {
    execute: (given) => given.rootValue.execute(given),
    subscribe: (given) => given.rootValue.subscribe(given),
    onSubscribe: async (ctx, _id, params) => {
      const { schema: its, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...ctx,
        req: ctx.extra.request,
        socket: ctx.extra.socket,
        params,
      });
      const given = {
        schema: its,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(given.schema, given.document);
      return errors.length ? errors : given;
    },
  },
  new WebSocketServer({ server, path: "/graphql" }),
);
server.listen(Number(port), "127.0.0.1");
