using System.Threading.Channels;
using Watch.Client;

namespace Watch;

/// <summary>A running watch as a channel.</summary>
public static class WatchChannelExtensions
{
    /// <summary>How many events a channel holds ahead of its reader at most.</summary>
    public const int EventsAheadMax = 1_000_000;

    /// <summary>
    /// Reads the watch into a channel, for code that selects among several sources. It is the watch's one reader; the channel is completed
    /// behind the last event. Disposing of the watch ends it: what is in the channel is left, and nothing more comes. A reader that is behind is
    /// slow as any other: beyond what the channel holds, events wait in the watch's queue, where its <see cref="SlowPolicy"/> decides.
    /// </summary>
    /// <param name="stream">The watch.</param>
    /// <param name="eventsAhead">How many events the channel holds, 1 to <see cref="EventsAheadMax"/>. Default 1; they count as handed to the reader.</param>
    /// <exception cref="WatchException"><see cref="WatchErrorCode.InvalidOption"/>: <paramref name="eventsAhead"/> is out of its range.</exception>
    public static ChannelReader<WatchEvent> ReadToChannel(this IWatchStream stream, int eventsAhead = 1)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (eventsAhead is < 1 or > EventsAheadMax)
            throw new WatchException(WatchErrorCode.InvalidOption, $"A channel of {eventsAhead} events was asked for: 1 to {EventsAheadMax} are allowed.");
        var channel = Channel.CreateBounded<WatchEvent>(new BoundedChannelOptions(eventsAhead) { SingleWriter = true, SingleReader = false });
        // It ends with the watch, and the channel tells how.
        _ = OwnContext.Start(() => FillAsync(stream, channel.Writer));
        return channel.Reader;
    }

    private static async Task FillAsync(IWatchStream stream, ChannelWriter<WatchEvent> writer)
    {
        try
        {
            await foreach (var each in stream)
                await writer.WriteAsync(each);
            writer.TryComplete();
        }
        catch (Exception error)
        {
            // Whoever reads the channel is told.
            writer.TryComplete(error);
        }
    }
}
