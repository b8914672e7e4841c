namespace Watch.ClientApp.Output;

/// <summary>How nodes are told.</summary>
internal static class NodeWords
{
    public static JsonLine Fields(JsonLine json, ClusterNode node)
    {
        json.Text("type", "node")
            .Text("name", node.Name)
            .Text("id", node.Id)
            .Text("standing", Words.Of(node.Standing))
            .Flag("reachable", node.IsReachable)
            .Text("silo", node.Silo);
        return json.Objects("groups", node.Groups, (inner, group) => inner
            .Text("group", group.Group)
            .Text("role", Words.Of(group.Role))
            .Number("index", group.Index)
            .Number("lag", group.Lag));
    }

    public static JsonLine Fields(JsonLine json, ClusterNodes nodes) => json
        .Text("type", "nodes")
        .Text("incarnation", nodes.Incarnation)
        .Objects("nodes", nodes.Nodes, (inner, node) => Fields(inner, node))
        .Objects("leaders", nodes.Leaders, (inner, leader) => inner.Text("group", leader.Group).Text("node", leader.Node).Number("term", leader.Term))
        .Texts("otherSilos", nodes.OtherSilos)
        .Texts("waits", nodes.Waits);

    public static string Text(ClusterNode node)
    {
        var groups = string.Join(", ", node.Groups.Select(each => $"{each.Group} {Words.Of(each.Role)}{(each.Lag > 0 ? $" {each.Lag} behind" : "")}"));
        return $"{node.Name}  {Words.Of(node.Standing)}  {(node.IsReachable ? node.Silo : "does not answer")}  {groups}";
    }

    public static string Text(ClusterNodes nodes) => string.Join('\n',
    [
        "nodes",
        .. nodes.Nodes.Select(node => $"  {Text(node)}"),
        .. nodes.Leaders.Select(leader => $"  {leader.Group} is led by {leader.Node} in term {leader.Term}"),
        .. nodes.OtherSilos.Select(silo => $"  {silo}  a silo that holds no node"),
        .. nodes.Waits.Select(wait => $"  waits: {wait}"),
    ]);
}
