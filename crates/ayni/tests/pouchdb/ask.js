// Answers questions as PouchDB does. Standard input: one line with the documents and the fields to index, then a line for
// each question to `find`. Standard output: for each question a line with the ids found, or with the error.
import { createInterface } from 'node:readline'
import PouchDB from 'pouchdb-core'
import memory from 'pouchdb-adapter-memory'
import find from 'pouchdb-find'

PouchDB.plugin(memory).plugin(find)
const db = new PouchDB('questions', { adapter: 'memory' })
let opened = false
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  if (!opened) {
    await db.bulkDocs(asked.documents)
    for (const field of asked.indexes) await db.createIndex({ index: { fields: [field] } })
    opened = true
    continue
  }
  try {
    const { docs } = await db.find({ limit: 1e9, ...asked })
    console.log(JSON.stringify(docs.map(found => found._id)))
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error) }))
  }
}
