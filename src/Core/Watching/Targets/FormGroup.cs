namespace Watch.Core.Watching;

/// <summary>
/// The subscriptions of one scope that have the same form. Each revision is filtered once for all of them, and they are given the same object.
/// </summary>
/// <param name="form">The form.</param>
/// <param name="takesAll">Whether every change of the scope is delivered in this form.</param>
internal sealed class FormGroup(WatchForm form, bool takesAll)
{
    private Few<Subscription> _live;
    private SharedCommit? _made;
    private Revision _madeOf;

    public WatchForm Form => form;

    /// <summary>How many subscriptions have this form, live or not.</summary>
    public int Members { get; set; }

    /// <summary>Those that are given every change as it comes.</summary>
    public Few<Subscription> Live => _live;

    /// <summary>What this form delivers of a revision; null where that is nothing. A revision's changes in a scope never differ, so it is made once.</summary>
    public SharedCommit? Of(Commit commit)
    {
        if (_madeOf != commit.Revision)
            (_made, _madeOf) = (takesAll ? new SharedCommit(commit.Revision, commit.Changes, form) : form.Of(commit), commit.Revision);
        return _made;
    }

    /// <summary>What was made is not kept longer than there are revisions to give: an idle scope holds no value.</summary>
    public void Forget() => (_made, _madeOf) = (null, default);

    public void Enter(Subscription subscription)
    {
        subscription.LiveIndex = _live.Count;
        _live.Add(subscription);
    }

    /// <summary>Takes a live subscription out; the last one takes its place.</summary>
    public void Leave(Subscription subscription) => _live.RemoveAt(subscription.LiveIndex).LiveIndex = subscription.LiveIndex;
}
