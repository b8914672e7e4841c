// The protocol of the gateway: one TCP connection between a client process and a silo.
//
//   frame    = length of the rest (4 bytes, little-endian), kind (1 byte), payload
//   opening  = client: Hello(magic, version, cluster, client)   silo: Welcome(magic, version, manifest) | Refused(text)
//
// Then both sides may call each other, the client grains, the silo the client's observers:
//
//   Call     = id (8), flags (1: no answer wanted), length of header (4), header, arguments
//   Result   = id, value           Failure = id, exception           Cancel = id
//   Ping     = nothing             Goodbye = text: why the sender closes
//
// G1  Ids are the caller's own; an answer to an id that is not (or no longer) waiting is ignored.
// G2  A connection ends once, for one reason; every call that waits then fails at once with it.
// G3  A frame that cannot be understood ends the connection. Arguments that cannot be read fail only
//     their call: the frame around them is sound, and another version of a type is no attack.
// G4  What waits to be sent is bounded: calls wait for room, and a peer that never reads is dropped.
// G5  Each end pings; an end that heard nothing for several intervals gives the peer up as dead.
// G6  Frames leave in the order in which they were enqueued; many small ones leave in one send.
namespace Watch.Embedded.Gateway;

internal enum FrameKind : byte
{
    Hello = 1,
    Welcome = 2,
    Refused = 3,
    Call = 4,
    Result = 5,
    Failure = 6,
    Cancel = 7,
    Ping = 8,
    Goodbye = 9,
}
