// Run by `replica-set` in docker-compose.scale.yml: three members that elect one of them within five seconds.
const members = ["mongo-1", "mongo-2", "mongo-3"].map((name, number) => ({ _id: number, host: `${name}:27017` }));
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "rs0", members, settings: { electionTimeoutMillis: 5000 } });
}
while (!db.hello().primary) sleep(500);
