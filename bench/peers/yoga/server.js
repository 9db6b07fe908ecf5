// node server.js PORT [MONGO_URI DATABASE]: graphql-yoga, with subscriptions by graphql-ws.
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";
import { beatResolvers, device, typeDefs } from "../beats.js";

const [port, mongoUri, database] = process.argv.slice(2);
const resolvers = { Query: { device }, Mutation: await beatResolvers(mongoUri, database) };
const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), logging: false, graphiql: false, maskedErrors: false });
createServer(yoga).listen(Number(port), "127.0.0.1");
