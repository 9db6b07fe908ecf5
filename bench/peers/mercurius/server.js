// node server.js PORT [MONGO_URI DATABASE]: mercurius with JIT.
import Fastify from "fastify";
import mercurius from "mercurius";
import { resolvers, typeDefs } from "../beats.js";

const [port, mongoUri, database] = process.argv.slice(2);
const app = Fastify({ bodyLimit: 16 * 1024 * 1024 });
await app.register(mercurius, { schema: typeDefs, resolvers: await resolvers(mongoUri, database), jit: 1 });
await app.listen({ port: Number(port), host: "127.0.0.1" });
