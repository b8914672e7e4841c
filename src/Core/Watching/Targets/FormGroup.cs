namespace Watch.Core.Watching;

/// <summary>
/// The subscriptions of one scope that have the same form. Each revision is filtered once for all of them, and they are given the same object.
/// </summary>
/// <remarks>
/// The form of most watches, all of the scope and all of each change, is made when it is asked for and not kept while nothing happens.
/// </remarks>
internal sealed class FormGroup
{
    private readonly bool _isPlain;
    private Few<Subscription> _live;
    private WatchForm? _form;
    private SharedCommit? _made;
    private Revision _madeOf;

    public FormGroup(ScopeFeed feed, WatchForm form)
    {
        Feed = feed;
        _isPlain = IsPlain(form);
        _form = _isPlain ? null : form;
    }

    /// <summary>The scope.</summary>
    public ScopeFeed Feed { get; }

    public WatchForm Form => _form ??= new WatchForm(TargetFilter.Whole(Feed.Scope), EventFilter.None, PreviousValues: false);

    /// <summary>How many subscriptions have this form, live or not.</summary>
    public int Members { get; set; }

    /// <summary>Those that are given every change as it comes.</summary>
    public Few<Subscription> Live => _live;

    /// <summary>Whether its form is that one.</summary>
    public bool Has(WatchForm form) => _isPlain ? IsPlain(form) : _form == form;

    /// <summary>What this form delivers of a revision; null where that is nothing. A revision's changes in a scope never differ, so it is made once.</summary>
    public SharedCommit? Of(Commit commit)
    {
        if (_madeOf != commit.Revision)
            (_made, _madeOf) = (TakesAll ? new SharedCommit(commit.Revision, commit.Changes, Form) : Form.Of(commit), commit.Revision);
        return _made;
    }

    /// <summary>What was made is not kept longer than there are revisions to give: an idle scope holds no value.</summary>
    public void Forget()
    {
        (_made, _madeOf) = (null, default);
        if (_isPlain)
            _form = null;
    }

    public void Enter(Subscription subscription)
    {
        subscription.LiveIndex = _live.Count;
        _live.Add(subscription);
    }

    /// <summary>Takes a live subscription out; the last one takes its place.</summary>
    public void Leave(Subscription subscription) => _live.RemoveAt(subscription.LiveIndex).LiveIndex = subscription.LiveIndex;

    // Whether every change of the scope is delivered.
    private bool TakesAll => _isPlain || (_form!.TakesAll && _form.Filter.Scope == Feed.Scope);

    private bool IsPlain(WatchForm form) => form is { Events: EventFilter.None, PreviousValues: false, Filter.IsWholeScope: true } && form.Filter.Scope == Feed.Scope;
}
